import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { windowsOfReadings } from "./aggregate.ts";
import { alignDown, BUCKET_MS, isLate } from "./align.ts";

const MINUTE_MS = 60_000;

describe("windows", () => {
  it.each([
    [0, 0],
    [59_999, 0],
    [60_000, 60_000],
    [-1, -60_000],
    [-60_000, -60_000],
  ])("[W1] the minute of %d starts at %d", (at, startMs) => {
    expect(alignDown(at, MINUTE_MS)).toBe(startMs);
  });

  it("[W1] an instant lies in its half-open window, which begins at a multiple of its length", () => {
    const lengthMs = fc.constantFrom(1, MINUTE_MS, 5 * MINUTE_MS, BUCKET_MS, 24 * BUCKET_MS);
    fc.assert(
      fc.property(fc.integer({ min: -1e14, max: 1e14 }), lengthMs, (at, length) => {
        const startMs = alignDown(at, length);
        expect(startMs <= at && at < startMs + length).toBe(true);
        expect(Math.abs(startMs % length)).toBe(0);
      }),
    );
  });

  it("[W1] a reading exactly at endMs opens the next window", () => {
    const at = [0, 59_999, 60_000, 180_000];
    const windows = windowsOfReadings(at, [1, 2, 3, 4], MINUTE_MS);
    expect(windows.map(({ startMs, endMs, summary }) => [startMs, endMs, summary.count])).toEqual([
      [0, 60_000, 2],
      [60_000, 120_000, 1],
      [180_000, 240_000, 1],
    ]);
  });
});

describe("the watermark", () => {
  it.each([
    [0, BUCKET_MS + MINUTE_MS - 1, false],
    [0, BUCKET_MS + MINUTE_MS, true],
    [BUCKET_MS - 1, BUCKET_MS + MINUTE_MS, true],
    [BUCKET_MS, BUCKET_MS + MINUTE_MS, false],
    [BUCKET_MS, 2 * BUCKET_MS + MINUTE_MS - 1, false],
    [0, 0, false],
  ])("[W4] a reading at %d after the newest at %d is late: %s", (at, newestAt, late) => {
    expect(isLate(at, newestAt)).toBe(late);
  });
});
