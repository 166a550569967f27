import { describe, expect, it } from "vitest";
import { breaksBefore } from "./line-break.ts";

/** Points that many minutes apart; the answer is the steps that break the line. */
function brokenSteps(...steps: number[]): number[] {
  let at = 0;
  const instants = [0, ...steps.map((minutes) => (at += minutes * 60_000))];
  return breaksBefore(instants, 60_000).flatMap((isBroken, index) => (isBroken ? [steps[index - 1]!] : []));
}

describe("breaksBefore", () => {
  it.each([
    ["an even pace", [1, 1, 1, 1], []],
    ["a slow pace", [60, 60, 60], []],
    ["an outage", [1, 1, 1, 30, 1, 1], [30]],
    ["an outage of a slow device", [60, 60, 240, 60, 60], [240]],
    ["a lone point between two outages", [1, 1, 1, 60, 61, 1, 1, 1], [60, 61]],
    ["a change from slow to fast", [60, 60, 60, 60, 1, 1, 1, 1], []],
    ["a change from fast to slow", [1, 1, 1, 1, 60, 60, 60, 60], []],
    ["one window missing", [1, 1, 2, 1, 1], []],
    ["seconds apart, then a minute", [0.1, 0.1, 1, 0.1], []],
    ["two points", [600], []],
    ["no points", [], []],
  ])("%s: %j breaks at %j", (_name, steps, broken) => {
    expect(brokenSteps(...steps)).toEqual(broken);
  });
});
