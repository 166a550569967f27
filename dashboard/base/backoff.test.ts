import { describe, expect, it } from "vitest";
import { backoffMs } from "./backoff.ts";

describe("backoffMs", () => {
  it.each([
    [0, 0, 250],
    [0, 1, 500],
    [1, 0, 500],
    [3, 1, 4_000],
    [5, 1, 15_000],
    [500, 0, 7_500],
  ])("attempt %i, random %f → %i ms", (attempt, random, ms) => {
    expect(backoffMs(attempt, random)).toBe(ms);
  });
});
