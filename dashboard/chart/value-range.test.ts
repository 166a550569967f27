import { describe, expect, it } from "vitest";
import { valueRange } from "./value-range.ts";

describe("valueRange", () => {
  it.each([
    [null, null, [0, 1]],
    [10, 20, [9, 21]],
    [0, 100, [0, 110]],
    [-100, 0, [-110, 0]],
    [-5, 5, [-6, 6]],
    [0, 0, [-0.5, 0.5]],
    [100, 100, [95, 105]],
  ])("%s to %s → %j", (low, high, range) => {
    expect(valueRange(low, high)).toEqual(range);
  });
});
