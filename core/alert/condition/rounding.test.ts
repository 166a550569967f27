import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { difference, withoutRounding } from "./rounding.ts";

describe("numbers without the rounding of binary fractions", () => {
  it("[A67] are as decimal numbers give them", () => {
    expect(difference(1.1, 1)).toBe(0.1);
    expect(difference(0.3, 0.2)).toBe(0.1);
    expect(difference(1_000_000.1, 1_000_000)).toBe(0.1);
    expect(difference(-21.3, -21.2)).toBe(-0.1);
    expect(withoutRounding(0.1 + 0.2, 0.3)).toBe(0.3);
  });

  it("[A67] of whole multiples of a step give whole multiples of it", () => {
    const steps = fc.integer({ min: -1e8, max: 1e8 });
    fc.assert(
      fc.property(steps, steps, fc.integer({ min: 0, max: 6 }), (left, right, decimals) => {
        const unit = 10 ** decimals;
        expect(difference(left / unit, right / unit)).toBe((left - right) / unit + 0);
      }),
    );
  });

  it("[A67] stay as they are where there is nothing to round, or no room to", () => {
    for (const [left, right] of [
      [1e300, 1],
      [1e-300, 0],
      [Number.MAX_VALUE, -Number.MAX_VALUE],
      [5e-324, 0],
      [2 ** 53, 1],
    ] as const) {
      expect(difference(left, right)).toBe(left - right);
    }
    expect(difference(5, 5)).toBe(0);
  });
});
