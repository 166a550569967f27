import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rowsInSight } from "./row-window.ts";

describe("[L10] the rows in sight", () => {
  it("[L10] are those the box shows and some beyond it", () => {
    expect(rowsInSight(2_000, 34, 0, 680)).toEqual({ start: 0, end: 30 });
    expect(rowsInSight(2_000, 34, 34_000, 34_680)).toEqual({ start: 990, end: 1_030 });
    expect(rowsInSight(2_000, 34, 67_320, 68_000)).toEqual({ start: 1_970, end: 2_000 });
    expect(rowsInSight(3, 34, 0, 680)).toEqual({ start: 0, end: 3 });
    expect(rowsInSight(0, 34, 0, 680)).toEqual({ start: 0, end: 0 });
  });

  it("[L10] hold every row that is seen, are at most a hundred, and never none while there are rows", () => {
    const heights = fc.integer({ min: 20, max: 200 });
    const tops = fc.integer({ min: -5_000, max: 500_000 });
    fc.assert(
      fc.property(
        fc.nat({ max: 5_000 }),
        heights,
        tops,
        fc.nat({ max: 1_500 }),
        (count, rowPx, topPx, seenPx) => {
          const { start, end } = rowsInSight(count, rowPx, topPx, topPx + seenPx);
          expect(end - start).toBeLessThanOrEqual(100);
          if (count > 0) expect(end).toBeGreaterThan(start);
          for (const seen of [topPx, topPx + seenPx - 1].map((px) => Math.floor(px / rowPx))) {
            if (seen < 0 || seen >= count || seenPx === 0) continue;
            expect(seen).toBeGreaterThanOrEqual(start);
            expect(seen).toBeLessThan(end);
          }
        },
      ),
    );
  });
});
