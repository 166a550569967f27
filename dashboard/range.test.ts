import { describe, expect, it } from "vitest";
import { moveEveryMs, RANGES, rangeOf, rereadEveryMs, viewOf } from "./range.ts";

describe("ranges", () => {
  it("an unknown id is the shortest range", () => {
    expect(rangeOf("7d").spanMs).toBe(7 * 86_400_000);
    expect(rangeOf(null)).toBe(RANGES[0]);
    expect(rangeOf("century")).toBe(RANGES[0]);
  });

  it("the view ends now, or at a reading from a clock that runs ahead", () => {
    expect(viewOf(900, 10_000, null)).toEqual({ startMs: 9_100, endMs: 10_000 });
    expect(viewOf(900, 10_000, 9_000)).toEqual({ startMs: 9_100, endMs: 10_000 });
    expect(viewOf(900, 10_000, 10_500)).toEqual({ startMs: 9_600, endMs: 10_500 });
  });

  it("long ranges move and are read again less often", () => {
    expect(RANGES.map(({ spanMs }) => moveEveryMs(spanMs))).toEqual([
      1000, 3600, 21_600, 60_000, 60_000, 60_000,
    ]);
    expect(RANGES.map(({ spanMs }) => rereadEveryMs(spanMs) / 60_000)).toEqual([2, 2, 6, 15, 15, 15]);
  });
});
