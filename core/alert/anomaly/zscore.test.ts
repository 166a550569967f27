import { describe, expect, it } from "vitest";
import { scoreOfDeviations, zscore } from "./zscore.ts";

const taught = (values: readonly number[]) => {
  const state = zscore.create();
  for (const value of values) zscore.score(state, 0, value);
  return state;
};
const alternating = (count: number, mean = 0, deviation = 1) =>
  Array.from({ length: count }, (_, i) => mean + (i % 2 === 0 ? deviation : -deviation));

describe("the z-score", () => {
  it("[A44] is a warning at 3 deviations of the readings before it and critical at 5", () => {
    expect(zscore.warning).toBe(0.5);
    expect(zscore.critical).toBe(0.625);
    // Mean 0 and deviation 1; mean 100 and deviation 4.
    for (const [mean, deviation] of [
      [0, 1],
      [100, 4],
    ] as const) {
      const scoreAt = (deviations: number) =>
        zscore.score(taught(alternating(40, mean, deviation)), 0, mean + deviations * deviation);
      expect(scoreAt(0)).toBe(0);
      expect(scoreAt(2.99)).toBeLessThan(zscore.warning);
      expect(scoreAt(3)).toBe(zscore.warning);
      expect(scoreAt(-3)).toBe(zscore.warning);
      expect(scoreAt(4.99)).toBeLessThan(zscore.critical);
      expect(scoreAt(-5)).toBe(zscore.critical);
    }
  });

  it("[A44] grows with the deviations and never passes 1", () => {
    const scores = [0, 1, 3, 5, 20, 1e9, Number.POSITIVE_INFINITY].map(scoreOfDeviations);
    expect(scores).toEqual([...scores].sort((a, b) => a - b));
    expect(new Set(scores).size).toBe(scores.length);
    expect(scores.at(-1)).toBe(1);
  });

  it("[A44] says nothing of the first 30 readings", () => {
    expect(zscore.score(taught(alternating(29)), 0, 1000)).toBe(0);
    expect(zscore.score(taught(alternating(30)), 0, 1000)).toBeGreaterThan(zscore.critical);
  });

  it("[A44] forgets what is more than 120 readings back", () => {
    const state = taught([...alternating(60, 0, 1000), ...alternating(120, 0, 1)]);
    expect(zscore.score(state, 0, 3)).toBe(zscore.warning);
  });

  it("[A44] after equal readings any other is a full score, and an equal one none", () => {
    expect(zscore.score(taught(Array(50).fill(0.1)), 0, 0.1)).toBe(0);
    expect(zscore.score(taught(Array(50).fill(0.1)), 0, 0.2)).toBeCloseTo(1, 9);
  });

  it("[A44] says nothing where the squares pass what a double holds", () => {
    expect(zscore.score(taught(alternating(40, 0, 1e300)), 0, 1e308)).toBe(0);
    expect(zscore.score(taught(Array(40).fill(1e308)), 0, -1e308)).toBe(0);
  });

  it("[A44] skips what is no number", () => {
    const state = taught(alternating(40));
    const before = zscore.pack(state);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) expect(zscore.score(state, 0, value)).toBe(0);
    expect(zscore.pack(state)).toEqual(before);
  });
});
