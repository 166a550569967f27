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

  it("[A66] a constant metric that moves by less than its own resolution is calm", () => {
    const moved = (usual: number, value: number) => zscore.score(taught(Array(120).fill(usual)), 0, value);
    expect(moved(0.1, 0.1)).toBe(0);
    for (const [usual, value] of [
      [5, 5.000001],
      [5, 5.000123],
      [-5, -5.000001],
      [21.3, 21.299999],
      [21.3, Math.fround(21.3)],
      [0.3, 0.1 + 0.2],
      [21, 21.1],
      [21.3, 21.4],
      [0, 1],
      [0, 1e-9],
      [3e-12, 4e-12],
      [1e9, 1e9 + 1000],
      [230.15, 230.17],
    ] as const) {
      expect(moved(usual, value), `${usual} → ${value}`).toBeLessThan(zscore.warning);
    }
    for (const [usual, value] of [
      [5, 5.5],
      [5, 50],
      [0, 7],
      [0, -0.05],
      [21.3, 21.9],
      [1, 0.4],
      [3e-12, 9e-12],
      [1e9, 2e9],
    ] as const) {
      expect(moved(usual, value), `${usual} → ${value}`).toBeGreaterThanOrEqual(zscore.critical);
    }
  });

  it("[A66] a step is learnt from the readings of the window, and forgotten with them", () => {
    const state = taught([...Array(60).fill(21), 21.1, ...Array(59).fill(21)]);
    // 21.1 said that the metric is given to tenths: two more are no anomaly.
    expect(zscore.score(state, 0, 21.2)).toBeLessThan(zscore.warning);
    expect(zscore.score(state, 0, 21.6)).toBeGreaterThan(zscore.critical);
    for (let i = 0; i < 240; i++) zscore.score(state, 0, 21);
    expect(zscore.score(state, 0, 23)).toBeLessThan(zscore.warning);
    expect(zscore.score(state, 0, 27)).toBeGreaterThan(zscore.critical);
  });

  it("[A66] where readings scatter by more than a step, the deviation is theirs", () => {
    const scattered = alternating(120, 293.15, 0.08);
    expect(zscore.score(taught(scattered), 0, 293.15 + 0.41)).toBeGreaterThan(zscore.critical);
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
