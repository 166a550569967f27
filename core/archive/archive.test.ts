import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { summarise } from "../window/summary.ts";
import { hourlyRows, summaryAt } from "./hourly-rows.ts";
import { fromInt64, toInt64 } from "./int64.ts";
import { archiveKey, dateOf, datesOf } from "./key.ts";
import { type ArchivedBlock, compare, rawColumns } from "./raw-rows.ts";

const HOUR_MS = 3_600_000;
const T0 = Date.UTC(2026, 0, 5);

/** Blocks of several devices and hours, each (device, hour) once, in any order. */
const blocks: fc.Arbitrary<ArchivedBlock[]> = fc.uniqueArray(
  fc
    .record({
      device: fc.constantFrom("a", "b", "B", "a-1", "pump-10", "pump-9"),
      hour: fc.nat(4),
      revision: fc.integer({ min: 1, max: 3 }),
      columns: fc.uniqueArray(
        fc.record({
          metric: fc.constantFrom("t", "T", "°C", "p", "a b"),
          readings: fc.uniqueArray(
            fc.tuple(fc.nat(HOUR_MS - 1), fc.double({ noNaN: true, noDefaultInfinity: true })),
            {
              selector: ([offset]) => offset,
              maxLength: 6,
            },
          ),
        }),
        { selector: ({ metric }) => metric, maxLength: 4 },
      ),
    })
    .map(({ device, hour, revision, columns }) => {
      const startMs = T0 + hour * HOUR_MS;
      const sorted = columns.map(({ metric, readings }) => {
        const ascending = readings.toSorted(([a], [b]) => a - b);
        return {
          metric,
          at: ascending.map(([offset]) => startMs + offset),
          value: ascending.map(([, value]) => value),
        };
      });
      return { device, revision, block: { startMs, endMs: startMs + HOUR_MS, columns: sorted } };
    }),
  { selector: ({ device, block }) => `${device}/${block.startMs}` },
);

type Row = [device: string, metric: string, at: number, value: number, revision: number];
const rowsOf = (columns: ReturnType<typeof rawColumns>): Row[] =>
  columns.device.map((device, i) => [
    device,
    columns.metric[i]!,
    Number(columns.at[i]!),
    columns.value[i]!,
    columns.revision[i]!,
  ]);
const order = (a: Row, b: Row) => compare(a[0], b[0]) || compare(a[1], b[1]) || a[2] - b[2];

describe("the rows of an hourly file", () => {
  it("[F34] say how many readings were thinned; those of a file that has no such column say nothing", () => {
    const counted = { ...summarise([T0], [1]), thinned: 5 };
    const hours = [counted, summarise([T0 + HOUR_MS], [2])].map((summary, i) => {
      return { device: "d", metric: "a", zone: "z", startMs: T0 + i * HOUR_MS, summary };
    });
    const rows = hourlyRows(hours, 1);
    expect(hours.map((_, row) => summaryAt(rows, row))).toEqual(hours.map(({ summary }) => summary));
    const { thinned: _, ...before } = rows;
    expect(summaryAt(before as typeof rows, 0)).toEqual(summarise([T0], [1]));
  });
});

describe("the columns of a raw file", () => {
  it("[F34] have no marks of what was thinned", () => {
    const columns = ["a", "\u0001thinned a", "\u0001extreme a"].map((metric) => ({
      metric,
      at: [T0],
      value: [1],
    }));
    const block = { startMs: T0, endMs: T0 + HOUR_MS, columns };
    expect(rawColumns([{ device: "d", revision: 1, block }]).metric).toEqual(["a"]);
  });

  it("[S5] hold every reading of the blocks, sorted by device, metric, at", () => {
    fc.assert(
      fc.property(blocks, (archived) => {
        const expected = archived.flatMap(({ device, revision, block }) =>
          block.columns.flatMap(({ metric, at, value }) =>
            at.map((instant, i): Row => [device, metric, instant, value[i]!, revision]),
          ),
        );
        expect(rowsOf(rawColumns(archived))).toEqual(expected.sort(order));
      }),
    );
  });

  it("[S5] are the same whatever the order of the blocks", () => {
    fc.assert(
      fc.property(blocks, (archived) => {
        expect(rawColumns(archived.toReversed())).toEqual(rawColumns(archived));
      }),
    );
  });

  it("[S5] are sorted by at and revision also where an hour's newer part overlaps its older whole", () => {
    const column = (...at: number[]) => ({ metric: "t", at, value: at.map((_, i) => i) });
    const whole = { startMs: T0, endMs: T0 + HOUR_MS, columns: [column(T0, T0 + 10, T0 + 20)] };
    const part = { startMs: T0 + 10, endMs: T0 + HOUR_MS, columns: [column(T0 + 10, T0 + 15, T0 + 20)] };
    const rows = rowsOf(
      rawColumns([
        { device: "a", revision: 2, block: part },
        { device: "a", revision: 1, block: whole },
      ]),
    );
    expect(rows.map(([, , at, , revision]) => [at - T0, revision])).toEqual([
      [0, 1],
      [10, 1],
      [10, 2],
      [15, 2],
      [20, 1],
      [20, 2],
    ]);
  });

  it("[S5] no blocks make empty columns", () => {
    expect(rowsOf(rawColumns([]))).toEqual([]);
  });
});

describe("instants as 64-bit integers", () => {
  it("[S5] are the same numbers again, of either sign, to 2^53", () => {
    const whole = fc.oneof(
      fc.maxSafeInteger(),
      fc.integer(),
      fc.constantFrom(-1, 0, 2 ** 32 - 1, 2 ** 32, -(2 ** 32)),
    );
    fc.assert(
      fc.property(fc.array(whole), (numbers) => {
        expect(toInt64(numbers)).toEqual(BigInt64Array.from(numbers, BigInt));
        expect(fromInt64(toInt64(numbers))).toEqual(Float64Array.from(numbers));
      }),
    );
  });
});

describe("where a file lies", () => {
  it.each([
    [T0, "2026-01-05"],
    [T0 - 1, "2026-01-04"],
    [T0 + 24 * HOUR_MS, "2026-01-06"],
    [0, "1970-01-01"],
  ])("[S5] the day of %d is %s, in UTC", (at, date) => {
    expect(dateOf(at)).toBe(date);
  });

  it.each([
    [T0, T0 + 24 * HOUR_MS, ["2026-01-05", "2026-01-05"]],
    [T0, T0 + 24 * HOUR_MS + 1, ["2026-01-05", "2026-01-06"]],
    [T0 - 1, T0, ["2026-01-04", "2026-01-04"]],
    [T0, T0, ["2026-01-05", "2026-01-05"]],
  ])("[Q2] the half-open range [%d, %d) touches the days %j", (fromMs, toMs, dates) => {
    expect(datesOf(fromMs, toMs)).toEqual(dates);
  });

  it("[S5] the key is a Hive partition", () => {
    expect(archiveKey("raw", "acme", "2026-01-05", "c0ffee")).toBe(
      "raw/tenant=acme/date=2026-01-05/c0ffee.parquet",
    );
  });
});
