import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packSummaries, rollupOf, unpackSummaries, unpackSummary } from "./pack-summary.ts";

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const block = fc
  .uniqueArray(
    fc.record({
      metric: fc.oneof(fc.constantFrom("__proto__", "constructor", "a"), fc.string({ unit: "grapheme" })),
      value: fc.array(finite),
    }),
    { selector: ({ metric }) => metric },
  )
  .map((columns) => ({
    startMs: 0,
    endMs: 3_600_000,
    columns: columns.map(({ metric, value }) => ({ metric, at: value.map((_, i) => i), value })),
  }));

describe("packed summaries", () => {
  it("[W5] unpack to themselves, whatever the metrics are called", () => {
    fc.assert(
      fc.property(block, (one) => {
        const rollup = rollupOf(one);
        const text = packSummaries(rollup);
        expect(unpackSummaries(text)).toEqual(rollup);
        for (const [metric, summary] of rollup) {
          const packed = JSON.stringify((JSON.parse(text) as Record<string, unknown>)[metric]);
          expect(unpackSummary(packed)).toEqual(summary);
        }
      }),
    );
  });

  it("[W5] a metric the block has not is undefined, also one every object has", () => {
    const text = packSummaries(new Map());
    expect(["a", "constructor", "__proto__"].map((metric) => unpackSummaries(text).get(metric))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("[W2] the rollup of a block is a summary of each metric with readings", () => {
    const columns = [
      { metric: "a", at: [1, 2], value: [3, 4] },
      { metric: "none", at: [], value: [] },
    ];
    const rollup = rollupOf({ startMs: 0, endMs: 10, columns });
    expect([...rollup].map(([metric, { count, sum }]) => [metric, count, sum.high])).toEqual([["a", 2, 7]]);
  });

  it("[W5] the order of the stored fields stands: rows of today are read by every later version", () => {
    const stored = '{"m":[2,1,3,4,1e-20,10,-1e-18,1,5,3,9]}';
    expect(unpackSummaries(stored).get("m")).toEqual({
      count: 2,
      min: 1,
      max: 3,
      sum: { high: 4, low: 1e-20 },
      squares: { high: 10, low: -1e-18 },
      first: 1,
      firstAt: 5,
      last: 3,
      lastAt: 9,
    });
    expect(packSummaries(unpackSummaries(stored))).toBe(stored);
  });
});
