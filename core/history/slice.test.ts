import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Slicer } from "./slice.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const T0 = Date.UTC(2026, 0, 5);

/** Readings in stretches of different pace, ascending. */
const readings = fc
  .array(
    fc.record({
      gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3_000 * DAY_MS })),
      everyMs: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 20, max: DAY_MS })),
      count: fc.integer({ min: 0, max: 400 }),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((stretches) => {
    const at: number[] = [];
    let now = T0;
    for (const { gapMs, everyMs, count } of stretches) {
      now += gapMs;
      for (let i = 0; i < count; i++, now += everyMs) at.push(now);
    }
    return { at, endMs: now + 1 };
  });

/** The index of the first reading at `ms` or after. */
function indexOf(at: readonly number[], ms: number): number {
  let [low, high] = [0, at.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at[middle]! < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Reads a range slice by slice from a tier that cannot give more than `most` at once; at a gap it may say where it ends. */
function readAll(
  at: readonly number[],
  {
    startMs,
    endMs,
    wanted,
    most,
    skips,
  }: { startMs: number; endMs: number; wanted: number; most: number; skips: boolean },
) {
  const slicer = new Slicer({ startMs, endMs, wanted, firstMs: HOUR_MS });
  const read: number[] = [];
  let [peak, asks] = [0, 0];
  for (let span = slicer.next(); span !== undefined; span = slicer.next()) {
    asks++;
    const { startMs: from, endMs: to } = span;
    expect(from).toBeLessThan(to);
    const found = at.slice(indexOf(at, from), indexOf(at, to));
    if (found.length > most && slicer.tooLong()) continue;
    peak = Math.max(peak, found.length);
    read.push(...found);
    const next = at[indexOf(at, to)] ?? endMs;
    slicer.took(found.length === 0 && skips ? Math.min(next, endMs) : to, found.length);
  }
  return { read, peak, asks };
}

describe("slices", () => {
  it("[Q11] [Q12] cover a range once, in order, and none holds more than can be read at once", () => {
    fc.assert(
      fc.property(
        readings,
        fc.boolean(),
        fc.integer({ min: 64, max: 500 }),
        ({ at, endMs }, skips, wanted) => {
          // A minute cannot be cut: what may be read at once is at least what one holds.
          const most = Math.max(wanted, ...at.map((from, i) => indexOf(at, from + MINUTE_MS) - i));
          const { read, peak } = readAll(at, { startMs: T0, endMs, wanted, most, skips });
          expect(read).toEqual(at);
          expect(peak).toBeLessThanOrEqual(most);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("[Q11] a year at an even pace is read in slices of about as many readings as wanted", () => {
    const at = Array.from({ length: 365 * 24 }, (_, i) => T0 + i * HOUR_MS);
    const { peak, asks } = readAll(at, {
      startMs: T0,
      endMs: T0 + 365 * DAY_MS,
      wanted: 1_000,
      most: 1e9,
      skips: false,
    });
    expect(peak).toBeLessThanOrEqual(1_000);
    expect(peak).toBeGreaterThan(100);
    expect(asks).toBeLessThan(60);
  });

  it("[Q12] fifty empty years are passed in few steps, told where they end or not", () => {
    const endMs = T0 + 50 * 365 * DAY_MS;
    for (const skips of [true, false]) {
      const { read, asks } = readAll([endMs - 1], { startMs: T0, endMs, wanted: 1_000, most: 1_000, skips });
      expect(read).toEqual([endMs - 1]);
      expect(asks).toBeLessThan(20);
    }
  });

  it("[Q11] slices of a day and more begin and end with days: a day's file is opened once", () => {
    const slicer = new Slicer({
      startMs: T0 + HOUR_MS,
      endMs: T0 + 10 * DAY_MS,
      wanted: 8_640,
      firstMs: DAY_MS,
    });
    const ends: number[] = [];
    for (let span = slicer.next(); span !== undefined; span = slicer.next()) {
      ends.push(span.endMs);
      slicer.took(span.endMs, (span.endMs - span.startMs) / 10_000);
    }
    expect(ends).toEqual(Array.from({ length: 10 }, (_, day) => T0 + (day + 1) * DAY_MS));
  });

  it("[Q3] a range no longer than the first slice may be is one, wherever it lies", () => {
    const range = { startMs: T0 + 1_234, endMs: T0 + 1_234 + 8 * DAY_MS };
    expect(new Slicer({ ...range, wanted: 1, firstMs: 8 * DAY_MS }).next()).toEqual(range);
    expect(new Slicer({ ...range, wanted: 1, firstMs: 8 * DAY_MS - 1 }).next()).not.toEqual(range);
  });

  it("[Q11] what is too long is cut to a minute and no further", () => {
    const slicer = new Slicer({ startMs: T0, endMs: T0 + DAY_MS, wanted: 1, firstMs: DAY_MS });
    const lengths: number[] = [];
    do lengths.push(slicer.next()!.endMs - T0);
    while (slicer.tooLong());
    expect(lengths).toEqual([DAY_MS, 6 * HOUR_MS, HOUR_MS, 5 * MINUTE_MS, MINUTE_MS]);
  });
});
