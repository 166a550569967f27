import { describe, expect, it } from "vitest";
import { nearestPoint, readoutOf } from "./readout.ts";
import { trackOf } from "./track.ts";

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
    expect(readoutOf(raw([1, 21.5]), null, 2)).toEqual({ metric: "m", value: "21.50", spread: "" });
    const track = raw([1, 21.5]);
    track.low[0] = 20;
    track.high[0] = 23;
    expect(readoutOf(track, 1, 1).spread).toBe("20.0 – 23.0");
    expect(readoutOf(raw(), null, 1).value).toBe("—");
  });
});
