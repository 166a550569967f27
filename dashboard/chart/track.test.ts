import { describe, expect, it } from "vitest";
import type { HistoryAnswer, WindowPoint } from "../../schemas/query.ts";
import { appendReading, dropBefore, trackOf } from "./track.ts";

const answer = (over: Pick<HistoryAnswer, "resolution" | "points" | "thinned">): HistoryAnswer => ({
  device: "d",
  metric: "m",
  source: "hot",
  segments: [],
  next: null,
  ...over,
});
const raw = (...points: [number, number][]) =>
  trackOf(answer({ resolution: "raw", points: points.map(([at, value]) => ({ at, value })) }), 1e9);
const minute = (startMs: number, values: number[]): WindowPoint => {
  const sum = values.reduce((total, value) => total + value, 0);
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const shared = { count: values.length, sum, mean: sum / values.length, min, max, stddev: 0 };
  return { startMs, endMs: startMs + 60_000, first: values[0]!, last: values.at(-1)!, ...shared };
};

describe("a raw track", () => {
  it("moves on as readings arrive, each once", () => {
    const track = raw([1000, 1], [2000, 2]);
    expect(appendReading(track, 2000, 2)).toBe(false);
    expect(appendReading(track, 1500, 9)).toBe(false);
    expect(appendReading(track, 3000, 3)).toBe(true);
    expect(track.at).toEqual([1000, 2000, 3000]);
    expect(track.pointCount).toBe(3);
  });

  it("takes another value at the last instant as a correction", () => {
    const track = raw([1000, 1], [2000, 2]);
    expect(appendReading(track, 2000, 2.5)).toBe(true);
    expect(track.value).toEqual([1, 2.5]);
    expect(track.pointCount).toBe(2);
  });

  it("of thinned readings is not broken by steps that thinning makes, but by a silence", () => {
    const steps = Array.from({ length: 100 }, (_, i) => (i % 10 === 9 ? 300_000 : 20_000));
    const at = steps.map((_, i) => steps.slice(0, i).reduce((sum, step) => sum + step, 0));
    const points = [...at, at.at(-1)! + 7_200_000].map((instant) => ({ at: instant, value: 1 }));
    const thinned = { method: "lttb", from: 5_000 } as const;
    const whole = trackOf(answer({ resolution: "raw", points }), 1e9);
    const drawn = trackOf(answer({ resolution: "raw", points, thinned }), 1e9);
    const breaks = (track: typeof drawn) => track.value.filter((value) => value === null).length;
    expect(breaks(whole)).toBeGreaterThan(1);
    expect(breaks(drawn)).toBe(1);
    expect(drawn.value.at(-2)).toBeNull();
  });

  it("of the least and greatest of each so many is not broken where they lie far apart", () => {
    // Of ten readings each 20 s the first two, of the next ten the last two, and so on.
    const at = Array.from({ length: 40 }, (_, i) => 20_000 * (10 * (i >> 1) + (i & 1) + (i & 2 ? 8 : 0)));
    const points = at.map((instant) => ({ at: instant, value: 1 }));
    const thinned = { method: "minmax", from: 5_000 } as const;
    expect(trackOf(answer({ resolution: "raw", points, thinned }), 1e9).value).not.toContain(null);
  });

  it("breaks the line where the device fell silent, not at its own slow pace", () => {
    const silent = raw([0, 1], [10_000, 2], [20_000, 3], [400_000, 4]);
    expect(silent.at).toEqual([0, 10_000, 20_000, 20_001, 400_000]);
    expect(silent.value[3]).toBeNull();
    expect(silent.pointCount).toBe(4);
    const hourly = raw([0, 1], [3_600_000, 2], [7_200_000, 3]);
    expect(hourly.at).toHaveLength(3);
    appendReading(silent, 900_000, 5);
    expect(silent.value.slice(-2)).toEqual([null, 5]);
  });

  it("drops what left the view, counting points and not breaks", () => {
    const track = raw([0, 1], [10_000, 2], [20_000, 3], [400_000, 4]);
    dropBefore(track, 20_000);
    expect(track.at).toEqual([20_000, 20_001, 400_000]);
    expect(track.pointCount).toBe(2);
    dropBefore(track, 1e9);
    expect(track).toMatchObject({ at: [], value: [], pointCount: 0 });
  });

  it("starts from nothing", () => {
    const track = raw();
    expect(appendReading(track, 5, 1)).toBe(true);
    expect(track.pointCount).toBe(1);
  });
});

describe("a windowed track", () => {
  const points = [minute(0, [1, 3]), minute(60_000, [2, 4])];

  it("stands at the middle of each window, the open one at the middle of what has happened", () => {
    const track = trackOf(answer({ resolution: "1m", points }), 80_000);
    expect(track.at).toEqual([30_000, 70_000]);
    expect(track.value).toEqual([2, 3]);
    expect(track.low).toEqual([1, 2]);
    expect(track.high).toEqual([3, 4]);
  });

  it("a live reading widens the open window; one the answer knew does not", () => {
    const track = trackOf(answer({ resolution: "1m", points }), 80_000);
    expect(appendReading(track, 79_999, 100)).toBe(false);
    expect(appendReading(track, 90_000, 9)).toBe(true);
    expect(appendReading(track, 90_000, 9)).toBe(false);
    expect(track.value[1]).toBe(5);
    expect(track.high[1]).toBe(9);
    expect(track.at[1]).toBe(75_000);
    expect(track.pointCount).toBe(2);
  });

  it("of days of the browser's zone goes on with such days, also where they have 23 or 25 hours", () => {
    const dayOf = (...date: [number, number, number]) => new Date(...date).getTime();
    for (const [month, day] of [
      [2, 29],
      [9, 25],
      [5, 1],
    ] as const) {
      const [startMs, endMs] = [dayOf(2026, month, day), dayOf(2026, month, day + 1)];
      const points = [{ ...minute(startMs - 1, [1]), startMs: dayOf(2026, month, day - 1), endMs: startMs }];
      const track = trackOf({ ...answer({ resolution: "1d", points }), tz: "Local/Zone" }, startMs - 1);
      appendReading(track, endMs - 1, 7);
      expect(track.open).toEqual({ startMs, endMs, count: 1, sum: 7 });
    }
  });

  it("a reading exactly at the end opens the next window", () => {
    const track = trackOf(answer({ resolution: "1m", points }), 80_000);
    appendReading(track, 120_000, 7);
    expect(track.at).toEqual([30_000, 70_000, 120_000]);
    expect(track.pointCount).toBe(3);
    appendReading(track, 130_000, 9);
    expect(track.value[2]).toBe(8);
  });

  it("breaks where windows are missing, fetched or live, but not at a device's own slow pace", () => {
    const minutes = (...starts: number[]) => starts.map((start) => minute(start * 60_000, [start]));
    const gap = trackOf(answer({ resolution: "1m", points: minutes(0, 1, 2, 10) }), 660_000);
    expect(gap.value).toEqual([0, 1, 2, null, 10]);
    appendReading(gap, 1_800_000, 30);
    expect(gap.value.slice(-2)).toEqual([null, 30]);
    expect(gap.pointCount).toBe(5);
    const hourly = trackOf(answer({ resolution: "1m", points: minutes(0, 60, 120, 180) }), 11_000_000);
    expect(hourly.value).toEqual([0, 60, 120, 180]);
  });
});
