import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ThinMethod } from "../../schemas/query.ts";
import { type Drawn, thin } from "./thin.ts";

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const drawn: fc.Arbitrary<Drawn> = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 1e9 }), finite, finite, finite), { maxLength: 300 })
  .map((points) => {
    let now = 1.7e12;
    const at: number[] = [];
    for (const [step] of points) {
      now += step;
      at.push(now);
    }
    const sorted = points.map(([, ...figures]) => figures.sort((a, b) => a - b));
    return {
      at,
      low: sorted.map(([low]) => low!),
      value: sorted.map(([, mid]) => mid!),
      high: sorted.map((s) => s[2]!),
    };
  });
const method = fc.constantFrom<ThinMethod>("lttb", "minmax");
const ofValues = (...value: number[]): Drawn => ({
  at: value.map((_, i) => i),
  value,
  low: value,
  high: value,
});

describe("thinning", () => {
  it("[Q10] chooses of the points at most as many as may be, each once and in their order", () => {
    fc.assert(
      fc.property(drawn, fc.integer({ min: 1, max: 320 }), method, (points, maxPoints, by) => {
        const count = points.at.length;
        const chosen = thin(points, maxPoints, by);
        expect(chosen.length).toBeLessThanOrEqual(Math.min(count, maxPoints));
        for (const [i, index] of chosen.entries()) {
          expect(points.at[index]).toBeDefined();
          if (i > 0) expect(index).toBeGreaterThan(chosen[i - 1]!);
        }
        if (count <= maxPoints) expect(chosen).toHaveLength(count);
        if (count > 0) expect(chosen.at(-1)).toBe(count - 1);
        expect(thin(points, maxPoints, by)).toEqual(chosen);
      }),
    );
  });

  it("[Q10] lttb chooses exactly as many as may be, the first and the last among them", () => {
    fc.assert(
      fc.property(drawn, fc.integer({ min: 2, max: 100 }), (points, maxPoints) => {
        fc.pre(points.at.length > maxPoints);
        const chosen = thin(points, maxPoints, "lttb");
        expect(chosen).toHaveLength(maxPoints);
        expect([chosen[0], chosen.at(-1)]).toEqual([0, points.at.length - 1]);
      }),
    );
  });

  it("[Q10] minmax keeps the least and the greatest figure of all but the last point", () => {
    fc.assert(
      fc.property(drawn, fc.integer({ min: 3, max: 100 }), (points, maxPoints) => {
        fc.pre(points.at.length > maxPoints);
        const chosen = thin(points, maxPoints, "minmax");
        const [low, high] = [points.low.slice(0, -1), points.high.slice(0, -1)];
        const least = low.reduce((a, b) => Math.min(a, b));
        const greatest = high.reduce((a, b) => Math.max(a, b));
        expect(chosen.some((index) => points.low[index]! <= least)).toBe(true);
        expect(chosen.some((index) => points.high[index]! >= greatest)).toBe(true);
      }),
    );
  });

  it("[Q30] a spike of one reading stays, wherever it is, whatever may be in the answer from three points on", () => {
    fc.assert(
      fc.property(
        drawn,
        fc.integer({ min: 3, max: 100 }),
        fc.nat(),
        fc.boolean(),
        (points, max, place, isHigh) => {
          fc.pre(points.at.length > 0);
          const index = place % points.at.length;
          const spiked = isHigh
            ? { ...points, high: points.high.with(index, Number.MAX_VALUE) }
            : { ...points, low: points.low.with(index, -Number.MAX_VALUE) };
          fc.pre(points.high.every((high) => high < Number.MAX_VALUE));
          fc.pre(points.low.every((low) => low > -Number.MAX_VALUE));
          expect(thin(spiked, max, "minmax")).toContain(index);
        },
      ),
    );
  });

  it("[Q10] minmax keeps the first point when there is room for four", () => {
    fc.assert(
      fc.property(drawn, fc.integer({ min: 4, max: 100 }), (points, maxPoints) => {
        fc.pre(points.at.length > 0);
        expect(thin(points, maxPoints, "minmax")[0]).toBe(0);
      }),
    );
  });

  it("[Q10] minmax of two points keeps an extreme beside the last", () => {
    expect(thin(ofValues(0, 9, 0, 0), 2, "minmax")).toEqual([1, 3]);
  });

  it("[Q10] lttb keeps a spike among flat readings, as the paper's figures do", () => {
    const value = Array.from({ length: 100 }, (_, i) => (i === 37 ? 50 : 0));
    expect(thin(ofValues(...value), 5, "lttb")).toContain(37);
  });

  it("[Q10] lttb by hand: of each bucket the point with the largest triangle", () => {
    // Buckets {1, 2} and {3, 4} between 0 and 5. First: next mean (3.5, 0.5); areas 1.75 for 1, 3 for 2 … then last (5, 0).
    expect(thin(ofValues(0, 0.75, -1.25, 2, -1, 0), 4, "lttb")).toEqual([0, 2, 3, 5]);
  });
});
