import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type WindowSummary, windowsOfParts, windowsOfReadings } from "./aggregate.ts";
import { addTo, product } from "./double-double.ts";
import { exactStddev, exactSum, fromExact, toExact } from "./exact.ts";
import { meanOf, merge, quantileOf, type Summary, stddevOf, summarise } from "./summary.ts";

const MINUTE_MS = 60_000;
const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
/** What sensors send: decimals of up to four digits. */
const decimal = fc
  .tuple(fc.integer({ min: -1e8, max: 1e8 }), fc.nat(4))
  .map(([mantissa, digits]) => mantissa / 10 ** digits);
const decimals = fc.array(decimal, { minLength: 1, maxLength: 200, size: "max" });
const summaryOf = (values: readonly number[]) =>
  summarise(
    values.map((_, i) => i),
    values,
  );
/** Readings over two days, ascending. */
const readings = fc
  .uniqueArray(fc.tuple(fc.nat(2 * 86_400_000), decimal), {
    selector: ([at]) => at,
    minLength: 1,
    maxLength: 200,
  })
  .map((pairs) => pairs.sort(([a], [b]) => a - b));

/** What a summary says, as its readers see it. */
const figuresOf = (summary: Summary) => ({
  ...summary,
  sum: summary.sum.high,
  squares: summary.squares.high,
});

describe("the exact arithmetic these tests trust", () => {
  it("[W3] holds every float64 and rounds back to it", () => {
    fc.assert(
      fc.property(finite, (value) => {
        expect(fromExact(toExact(value))).toBe(value + 0);
      }),
    );
    expect(fromExact(toExact(2 ** 53) + toExact(1))).toBe(2 ** 53);
    expect(fromExact(toExact(2 ** 53) + toExact(1.5))).toBe(2 ** 53 + 2);
    expect(exactStddev([1, 2, 3, 4])).toBe(Math.sqrt(1.25));
  });
});

describe("a summary", () => {
  it("[W2] has count, min, max, first and last, and says −0 as 0", () => {
    expect(summarise([5, 6, 7], [2, -0, 1])).toMatchObject({
      count: 3,
      min: 0,
      max: 2,
      first: 2,
      firstAt: 5,
      last: 1,
      lastAt: 7,
    });
    expect(summarise([5, 6, 7, 8], [9, -3, 4, 9], 1, 3)).toMatchObject({
      count: 2,
      min: -3,
      max: 4,
      first: -3,
      last: 4,
    });
  });

  it("[W2] is a pure function of the readings", () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1 }), (values) => {
        expect(summaryOf(values)).toEqual(summaryOf([...values]));
        const { min, max } = summaryOf(values);
        expect([min, max]).toEqual([Math.min(...values) + 0, Math.max(...values) + 0]);
      }),
    );
  });

  it("[W3] the sum of decimals is the exact sum, rounded once, in any order", () => {
    fc.assert(
      fc.property(decimals, (values) => {
        const exact = exactSum(values);
        expect(summaryOf(values).sum.high).toBe(exact);
        expect(summaryOf(values.toReversed()).sum.high).toBe(exact);
      }),
    );
  });

  it("[W3] large and small readings that cancel leave what is left", () => {
    expect(summaryOf([1e16, 1, -1e16, 0.5]).sum.high).toBe(1.5);
    expect(summaryOf([1e30, 0.1, -1e30]).sum.high).toBe(0.1);
  });
});

describe("mean and standard deviation", () => {
  it("[W2] the mean is the exact one within a rounding, and never outside the readings", () => {
    fc.assert(
      fc.property(decimals, (values) => {
        const summary = summaryOf(values);
        const exact = fromExact(
          values.reduce((sum, value) => sum + toExact(value), 0n),
          BigInt(values.length),
        );
        expect(Math.abs(meanOf(summary) - exact)).toBeLessThanOrEqual(Math.abs(exact) * 2 ** -51);
        expect(meanOf(summary)).toBeGreaterThanOrEqual(summary.min);
        expect(meanOf(summary)).toBeLessThanOrEqual(summary.max);
      }),
    );
    expect(meanOf(summaryOf([0.1, 0.1, 0.1]))).toBe(0.1);
  });

  it("[W2] the deviation is the exact one, as far as a float64 of the readings' size can tell", () => {
    fc.assert(
      fc.property(decimals, (values) => {
        const exact = exactStddev(values);
        const size = Math.max(...values.map(Math.abs));
        expect(Math.abs(stddevOf(summaryOf(values)) - exact)).toBeLessThanOrEqual(
          exact * 1e-12 + size * 1e-15,
        );
      }),
    );
  });

  it.each([
    ["a high mean", [1e6 + 0.01, 1e6 + 0.02, 1e6 + 0.03]],
    ["a pressure in Pa", [101_325.01, 101_325.02, 101_325.04, 101_325.01]],
    ["instants", [1_767_225_600_000, 1_767_225_600_001, 1_767_225_600_003]],
  ])("[W2] %s costs the deviation no digits", (_, values) => {
    const exact = exactStddev(values);
    expect(Math.abs(stddevOf(summaryOf(values)) / exact - 1)).toBeLessThan(1e-12);
  });

  it("[W2] equal readings deviate by nothing", () => {
    fc.assert(
      fc.property(finite, fc.integer({ min: 1, max: 50 }), (value, count) => {
        expect(stddevOf(summaryOf(new Array<number>(count).fill(value)))).toBe(0);
      }),
    );
  });

  it("[W2] no reading makes a figure NaN or infinite, for JSON has neither", () => {
    const extreme = fc.oneof(
      finite,
      fc.constantFrom(1.7976931348623157e308, -1e308, 1e308, 5e-324, 1e154, 1e200, -0),
    );
    fc.assert(
      fc.property(fc.array(extreme, { minLength: 1 }), fc.array(extreme, { minLength: 1 }), (one, other) => {
        for (const summary of [summaryOf(one), merge(summaryOf(one), summaryOf(other))]) {
          const { sum, squares, sketch: _, ...rest } = summary;
          const figures = [...Object.values(rest), sum.high, sum.low, squares.high, squares.low];
          const quantiles = [0, 0.5, 0.95, 1].map((q) => quantileOf(summary, q));
          for (const figure of [...figures, ...quantiles, meanOf(summary), stddevOf(summary)])
            expect(figure).toSatisfy(Number.isFinite);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("quantiles", () => {
  it("[W7] lie within 1 % of the reading of rank ⌊q (n − 1)⌋, and never outside the readings", () => {
    const q = fc.oneof(fc.constantFrom(0, 0.5, 0.95, 0.99, 1), fc.double({ noNaN: true, min: 0, max: 1 }));
    fc.assert(
      fc.property(fc.array(fc.oneof(finite, decimal), { minLength: 1 }), q, (values, q) => {
        const summary = summaryOf(values);
        const exact = values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;
        const quantile = quantileOf(summary, q)!;
        expect(Math.abs(quantile - exact)).toBeLessThanOrEqual(Math.abs(exact) / 100);
        expect(quantile).toBeGreaterThanOrEqual(summary.min);
        expect(quantile).toBeLessThanOrEqual(summary.max);
      }),
      { numRuns: 1_000 },
    );
  });

  it("[W7] the lower of two is the median, and equal readings are themselves", () => {
    expect(quantileOf(summaryOf([2, 1]), 0.5)).toBeLessThanOrEqual(1.01);
    expect(quantileOf(summaryOf([20.6, 20.6, 20.6]), 0.99)).toBe(20.6);
  });

  it("[W8] what was merged with a summary stored without a sketch has none, on either side", () => {
    const { sketch: _, ...old } = summaryOf([1, 2]);
    const later = summarise([7], [3]);
    expect(quantileOf(old, 0.5)).toBeUndefined();
    for (const merged of [merge(old, later), merge(later, old), merge(merge(later, old), later)]) {
      expect("sketch" in merged).toBe(false);
      expect(quantileOf(merged, 0.5)).toBeUndefined();
    }
  });
});

describe("merging", () => {
  it("[W3] is commutative and associative, in the figures a reader sees", () => {
    const part = fc.array(decimal, { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(part, part, part, (a, b, c) => {
        const at = (from: number, values: number[]) =>
          summarise(
            values.map((_, i) => from + i),
            values,
          );
        const [x, y, z] = [at(0, a), at(100, b), at(200, c)];
        expect(figuresOf(merge(x, y))).toEqual(figuresOf(merge(y, x)));
        expect(figuresOf(merge(merge(x, y), z))).toEqual(figuresOf(merge(x, merge(z, y))));
      }),
    );
  });

  it("[W3] [W8] 1 m → 5 m → 1 h → 1 d equals direct computation, to the last digit of the sum and the last bin", () => {
    fc.assert(
      fc.property(readings, fc.boolean(), (pairs, backwards) => {
        const at = pairs.map(([instant]) => instant);
        const value = pairs.map(([, reading]) => reading);
        let parts: WindowSummary[] = windowsOfReadings(at, value, MINUTE_MS);
        for (const lengthMs of [5 * MINUTE_MS, 60 * MINUTE_MS, 1_440 * MINUTE_MS]) {
          parts = windowsOfParts(backwards ? parts.toReversed() : parts, lengthMs);
          const direct = windowsOfReadings(at, value, lengthMs);
          const shown = (windows: WindowSummary[]) =>
            windows.map(({ startMs, endMs, summary }) => ({ startMs, endMs, ...figuresOf(summary) }));
          expect(shown(parts)).toEqual(shown(direct));
        }
        for (const { startMs, endMs, summary } of parts) {
          expect(summary.sum.high).toBe(
            exactSum(value.filter((_, i) => at[i]! >= startMs && at[i]! < endMs)),
          );
        }
      }),
    );
  });
});

describe("pairs", () => {
  it("[W3] a product is exact within its range", () => {
    const moderate = fc
      .double({ noNaN: true, min: -1e100, max: 1e100 })
      .filter((x) => x === 0 || Math.abs(x) > 1e-100);
    fc.assert(
      fc.property(moderate, moderate, (a, b) => {
        const { high, low } = product(a, b);
        expect((toExact(high) + toExact(low)) << 1_074n).toBe(toExact(a) * toExact(b));
      }),
    );
  });

  it("[W2] sums beyond the range stop at ±MAX_VALUE", () => {
    const max = Number.MAX_VALUE;
    expect(addTo({ high: max, low: 0 }, max)).toEqual({ high: max, low: 0 });
    expect(addTo({ high: -max, low: 0 }, -max)).toEqual({ high: -max, low: 0 });
  });
});
