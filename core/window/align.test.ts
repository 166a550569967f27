import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HOUR_MS } from "../time.ts";
import { windowsOfReadings } from "./aggregate.ts";
import { alignDown, isClosed, isLate, watermarkOf } from "./align.ts";

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
    const lengthMs = fc.constantFrom(1, MINUTE_MS, 5 * MINUTE_MS, HOUR_MS, 24 * HOUR_MS);
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
    [0, HOUR_MS + MINUTE_MS - 1, false],
    [0, HOUR_MS + MINUTE_MS, true],
    [HOUR_MS - 1, HOUR_MS + MINUTE_MS, true],
    [HOUR_MS, HOUR_MS + MINUTE_MS, false],
    [HOUR_MS, 2 * HOUR_MS + MINUTE_MS - 1, false],
    [0, 0, false],
  ])("[W4] a reading at %d after the newest at %d is late: %s", (at, newestAt, late) => {
    expect(isLate(at, newestAt)).toBe(late);
  });
});

/**
 * Events of tumbling windows of 10 by hand, with an allowed lateness of 3: `at`, the watermark when it came, and
 * whether its window, which ends at the next multiple of 10, had closed.
 */
const EVENTS = [
  [4, -Infinity, false],
  [12, 1, false], // the watermark is 4 − 3
  [9, 9, false], // out of order; its window ends at 10 > 9
  [13, 9, false],
  [9, 10, true], // its end 10 ≤ 13 − 3
  [10, 10, false], // the next window, which ends at 20
  [0, 10, true],
  [33, 10, false],
  [22, 30, true], // [20, 30) had closed at 30, although nothing was ever in it
  [30, 30, false],
  [32, 30, false],
] as const;

describe("windows of any length", () => {
  it("[W6] drop what comes once the largest event time so far less the lateness has reached their end", () => {
    let newestAt = -Infinity;
    for (const [at, watermark, dropped] of EVENTS) {
      expect(watermarkOf(newestAt, 3)).toBe(watermark);
      expect([at, isClosed(at, 10, watermark)]).toEqual([at, dropped]);
      newestAt = Math.max(newestAt, at);
    }
  });

  it("[W6] the more lateness is allowed the less is dropped, and at most what is out of order", () => {
    const events = fc.array(fc.nat(100), { minLength: 1 });
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 20 }), fc.nat(20), (all, lengthMs, latenessMs) => {
        let newestAt = -Infinity;
        for (const at of all) {
          const dropped = (allowedMs: number) => isClosed(at, lengthMs, watermarkOf(newestAt, allowedMs));
          if (dropped(latenessMs + 1)) expect(dropped(latenessMs)).toBe(true);
          if (dropped(latenessMs)) expect(at + latenessMs).toBeLessThan(newestAt);
          newestAt = Math.max(newestAt, at);
        }
      }),
    );
  });
});
