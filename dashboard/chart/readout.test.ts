import { describe, expect, it } from "vitest";
import { formatInstant } from "../base/format.ts";
import { nearestPoint, readoutOf } from "./readout.ts";
import { type Track, trackOf } from "./track.ts";

const raw = (...points: [number, number][]) =>
  trackOf(
    {
      device: "d",
      metric: "m",
      source: "hot",
      resolution: "raw",
      segments: [],
      next: null,
      points: points.map(([at, value]) => ({ at, value })),
    },
    1e9,
  );

describe("nearestPoint", () => {
  const track = raw([0, 1], [10_000, 2], [20_000, 3], [400_000, 4]);
  it.each([
    [-5, 0],
    [4_000, 0],
    [6_000, 1],
    [20_000, 2],
    [20_001, 2],
    [390_000, 4],
    [Number.POSITIVE_INFINITY, 4],
  ])("%d → index %i, never a break", (atMs, index) => {
    expect(nearestPoint(track, atMs)).toBe(index);
  });
  it("an empty track has none", () => {
    expect(nearestPoint(raw(), 5)).toBeNull();
  });
});

describe("readoutOf", () => {
  it("a reading has a value, a window its spread too, nothing is a dash", () => {
    expect(readoutOf(raw([1, 21.5]), null, 2, 5)).toMatchObject({ metric: "m", value: "21.50", spread: "" });
    const track = raw([1, 21.5]);
    track.low[0] = 20;
    track.high[0] = 23;
    expect(readoutOf(track, 1, 1, 5).spread).toBe("20.0 – 23.0");
    expect(readoutOf(raw(), null, 1, 5).value).toBe("—");
  });

  it("[L13] the figure says whether it is a reading or a mean, of when, and whether that is over", () => {
    const atMs = Date.UTC(2026, 0, 5, 14, 30);
    const startMs = Date.UTC(2026, 0, 5, 14);
    const what = (track: Track, cursorMs: number | null, nowMs: number) =>
      readoutOf(track, cursorMs, 1, nowMs).what;
    expect(what(raw([atMs, 1]), null, atMs)).toBe(`newest reading, ${formatInstant(atMs)}`);
    expect(what(raw([atMs, 1]), atMs, atMs)).toBe(`reading, ${formatInstant(atMs)}`);
    const hours = { ...raw([atMs, 1]), windowMs: 3_600_000 };
    expect(what(hours, atMs, startMs + 3_600_000)).toBe(`mean of 1 h from ${formatInstant(startMs)}`);
    expect(what(hours, null, atMs)).toBe(`newest mean of 1 h from ${formatInstant(startMs)}, so far`);
    const later = Date.UTC(2030, 6, 1);
    expect(what(hours, null, later)).toBe(`newest mean of 1 h from ${formatInstant(startMs, later)}`);
    expect(what(raw(), null, atMs)).toBe("");
  });

  it("[L32] of a window it says how many more readings were thinned", () => {
    const startMs = Date.UTC(2026, 0, 5, 14);
    const of = { device: "d", metric: "m", segments: [], next: null };
    const figures = { count: 2, min: 1, max: 3, mean: 2, sum: 4, stddev: 1, first: 1, last: 3 };
    const window = { startMs, endMs: startMs + 3_600_000, ...figures, thinned: 12_000 };
    const track = trackOf({ ...of, source: "warm", resolution: "1h", points: [window] }, startMs + 3_600_000);
    expect(readoutOf(track, null, 1, startMs + 7_200_000).what).toMatch(/, 12.000 more readings thinned$/);
  });
});
