import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HOUR_MS } from "../time.ts";
import { windowsOfReadings } from "./aggregate.ts";
import { carryThinned, packSummaries, rollupOf, unpackSummaries, unpackSummary } from "./pack-summary.ts";
import { sketchOf } from "./sketch.ts";
import { merge, quantileOf } from "./summary.ts";

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const metric = fc.oneof(fc.constantFrom("__proto__", "constructor", "a"), fc.string({ unit: "grapheme" }));
/** Readings over six hours, ascending. */
const column = fc
  .tuple(
    metric,
    fc.uniqueArray(fc.tuple(fc.nat(6 * HOUR_MS - 1), finite), { selector: ([at]) => at, maxLength: 20 }),
  )
  .map(([metric, readings]) => {
    const sorted = readings.sort(([a], [b]) => a - b);
    return { metric, at: sorted.map(([at]) => at), value: sorted.map(([, value]) => value) };
  });
const block = fc
  .uniqueArray(column, { selector: ({ metric }) => metric })
  .map((columns) => ({ startMs: 0, endMs: 6 * HOUR_MS, columns }));
const oneColumn = (at: number[], value: number[]) => ({
  startMs: 0,
  endMs: 6 * HOUR_MS,
  columns: [{ metric: "a", at, value }],
});

describe("packed summaries", () => {
  it("[W5] unpack to themselves, whatever the metrics are called and however many hours they span", () => {
    fc.assert(
      fc.property(block, (one) => {
        const rollup = rollupOf(one);
        const text = packSummaries(rollup);
        expect(unpackSummaries(text)).toEqual(rollup);
        for (const [metric, hours] of rollup) {
          const packed = JSON.stringify((JSON.parse(text) as Record<string, unknown>)[metric]);
          expect(unpackSummary(packed)).toEqual(hours);
        }
      }),
    );
  });

  it("[F32] the counts of what was thinned are packed, also without a sketch, merged, and carried to what replaces them", () => {
    const at = [HOUR_MS - 5, HOUR_MS + 5];
    const counts = { metric: "\u0001thinned a", at: [HOUR_MS - 2, HOUR_MS + 7], value: [3, 4] };
    const block = oneColumn(at, [1, 2]);
    const rollup = rollupOf({ ...block, columns: [...block.columns, counts] });
    const [first, second] = rollup.get("a")!;
    expect([...rollup.keys()]).toEqual(["a"]);
    expect([first!.summary.thinned, second!.summary.thinned]).toEqual([3, 4]);
    expect(merge(first!.summary, second!.summary).thinned).toBe(7);
    expect(unpackSummaries(packSummaries(rollup))).toEqual(rollup);
    const { sketch: _, ...old } = first!.summary;
    const packed = packSummaries(new Map([["a", [{ startMs: 0, summary: old }]]]));
    expect(unpackSummaries(packed).get("a")).toEqual([{ startMs: 0, summary: old }]);
    const replayed = rollupOf(block);
    carryThinned([rollup], [replayed]);
    expect(replayed).toEqual(rollup);
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
    expect([...rollup]).toMatchObject([["a", [{ startMs: 0, summary: { count: 2, sum: { high: 7 } } }]]]);
  });

  it("[W9] a block longer than an hour has a summary for each clock hour with readings, and none for the others", () => {
    const at = [HOUR_MS - 1, HOUR_MS, 2 * HOUR_MS - 1, 5 * HOUR_MS];
    const hours = rollupOf(oneColumn(at, [1, 2, 3, 4])).get("a");
    expect(hours).toMatchObject([
      { startMs: 0, summary: { count: 1, last: 1 } },
      { startMs: HOUR_MS, summary: { count: 2, first: 2, last: 3 } },
      { startMs: 5 * HOUR_MS, summary: { count: 1, first: 4 } },
    ]);
  });

  it("[W9] the hours of any block are its readings' windows of an hour", () => {
    fc.assert(
      fc.property(block, (one) => {
        for (const { metric, at, value } of one.columns) {
          const windows = windowsOfReadings(at, value, HOUR_MS);
          const hours = rollupOf(one).get(metric) ?? [];
          expect(hours.map(({ startMs, summary }) => [startMs, summary])).toEqual(
            windows.map(({ startMs, summary }) => [startMs, summary]),
          );
        }
      }),
    );
  });

  it("[W5] [W9] one hour is stored as one flat array, as rows of a block within an hour always were", () => {
    const packed = (at: number[]) => JSON.parse(packSummaries(rollupOf(oneColumn(at, [1, 2])))).a;
    expect(packed([5 * HOUR_MS, 5 * HOUR_MS + 1])[0]).toBe(2);
    expect(packed([5 * HOUR_MS - 1, 5 * HOUR_MS]).map(([count]: number[]) => count)).toEqual([1, 1]);
  });

  it("[W5] the order of the stored fields stands: rows of today are read by every later version", () => {
    const stored = '{"m":[2,1,3,4,1e-20,10,-1e-18,1,3600005,3,3600009,"w1yCB3BA"]}';
    const summary = {
      count: 2,
      min: 1,
      max: 3,
      sum: { high: 4, low: 1e-20 },
      squares: { high: 10, low: -1e-18 },
      first: 1,
      firstAt: 3_600_005,
      last: 3,
      lastAt: 3_600_009,
      sketch: sketchOf([1, 3]),
    };
    expect(unpackSummaries(stored).get("m")).toEqual([{ startMs: HOUR_MS, summary }]);
    expect(packSummaries(unpackSummaries(stored))).toBe(stored);
  });

  it("[W5] rows stored before there were sketches are read, and have no quantiles", () => {
    const stored = '{"m":[2,1,3,4,1e-20,10,-1e-18,1,3600005,3,3600009]}';
    const [hour] = unpackSummaries(stored).get("m")!;
    expect(hour).toMatchObject({ startMs: HOUR_MS, summary: { count: 2, lastAt: 3_600_009 } });
    expect(quantileOf(hour!.summary, 0.5)).toBeUndefined();
    expect(packSummaries(unpackSummaries(stored))).toBe(stored);
  });
});
