import { describe, expect, it } from "vitest";
import { addToTrail, sparkPath } from "./trail.ts";

describe("addToTrail", () => {
  it("keeps the newest, corrects the last, leaves out the late", () => {
    const trail = { at: [], values: [] };
    for (const [at, value] of [
      [1, 10],
      [2, 20],
      [2, 21],
      [1, 99],
      [3, 30],
      [4, 40],
    ] as const) {
      addToTrail(trail, at, value, 3);
    }
    expect(trail).toEqual({ at: [2, 3, 4], values: [21, 30, 40] });
  });
});

describe("sparkPath", () => {
  it("needs two values", () => {
    expect(sparkPath([], 10, 10)).toBe("");
    expect(sparkPath([1], 10, 10)).toBe("");
  });
  it("fills the box, high values up", () => {
    expect(sparkPath([0, 5, 10], 20, 12)).toBe("M0 11L10 6L20 1");
  });
  it("draws a flat line in the middle", () => {
    expect(sparkPath([3, 3], 20, 12)).toBe("M0 6L20 6");
  });
});
