import { expect, it } from "vitest";
import { isDue, type Progress, progressText } from "./progress.ts";

it("[S29] no share is shown before the total is known", () => {
  expect(progressText({ what: "waiting for the server's next turn", done: 0 })).toBe(
    "waiting for the server's next turn",
  );
  expect(progressText({ what: "reading", done: 1_500, total: 0, unit: "rows", note: "a.csv" })).toBe(
    "reading  1,500 rows  a.csv",
  );
});

it("[S29] a share is never above 100 %, and 100 % is all", () => {
  const percentOf = (done: number, total: number) =>
    /^[█░]{30} (\d+) %/.exec(progressText({ what: "days", done, total }))?.[1];
  expect([0, 1, 239, 240, 479, 480, 481].map((done) => percentOf(done, 480))).toEqual([
    "0",
    "0",
    "49",
    "50",
    "99",
    "100",
    "100",
  ]);
  expect(progressText({ what: "hours", done: 480, total: 480, isOver: false })).toMatch(/ 99 %/);
  expect(percentOf(999_999_999, 1_000_000_000)).toBe("99");
  expect(progressText({ what: "days", done: 481, total: 480, unit: "readings" })).toMatch(
    /100 % {2}days {2}480 of 480 readings$/,
  );
});

it("[S29] where nothing can be drawn over, a line is printed at each step of the way", () => {
  const printed: number[] = [];
  let last: Parameters<typeof isDue>[0];
  for (let done = 0; done <= 1_000; done++) {
    const next = { progress: { what: "days", done, total: 1_000 } satisfies Progress, atMs: done };
    if (!isDue(last, next)) continue;
    last = next;
    printed.push(done);
  }
  expect(printed).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000]);
  expect(isDue(last, { progress: { what: "hours", done: 1_000, total: 1_000 }, atMs: 1_001 })).toBe(true);
  expect(isDue(last, { progress: { what: "days", done: 1_000, total: 1_000 }, atMs: 31_000 })).toBe(true);
  const read = { progress: { what: "reading", done: 5 }, atMs: 0 };
  expect(isDue(read, { progress: { what: "reading", done: 99_999 }, atMs: 1 })).toBe(false);
  expect(isDue(read, { progress: { what: "reading", done: 100_005 }, atMs: 1 })).toBe(true);
});
