import { describe, expect, it } from "vitest";
import { decimalsOf } from "./resolution.ts";

describe("the decimals of a value", () => {
  it("[A66] are those it is written with", () => {
    for (const [value, decimals] of [
      [0, 0],
      [-0, 0],
      [7, 0],
      [1e15, 0],
      [21.3, 1],
      [-5.000001, 6],
      [0.25, 2],
      [0.1 + 0.2, 1],
      [51.846000000000004, 3],
      [3e-12, 12],
      [1.5e-12, 13],
    ] as const) {
      expect(decimalsOf(value), String(value)).toBe(decimals);
    }
  });

  it("[A66] are the same in single precision", () => {
    for (const value of [21.3, 0.7, 1013.25, -3.14, 99.99, 0.001]) {
      expect(decimalsOf(Math.fround(value)), String(value)).toBe(decimalsOf(value));
    }
  });

  it("[A66] are bounded, whatever the value", () => {
    for (const value of [Math.PI, 5e-324, -5e-324, Number.MIN_VALUE * 3, 1e-260, Number.MAX_VALUE]) {
      const decimals = decimalsOf(value);
      expect(Number.isInteger(decimals) && decimals >= 0 && decimals <= 255, String(value)).toBe(true);
    }
    expect(decimalsOf(Math.PI)).toBeLessThanOrEqual(7);
  });
});
