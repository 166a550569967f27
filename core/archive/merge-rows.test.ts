import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Layout, RAW, type Rows, rowGroupEnd, rowGroupRows } from "./layout.ts";
import { mergeRows } from "./merge-rows.ts";
import { compare } from "./raw-rows.ts";

type Row = [device: string, metric: string, at: number, revision: number, value: number];

/** A reading's value is settled by its revision: the same block never says two things. */
const row: fc.Arbitrary<Row> = fc
  .tuple(
    fc.constantFrom("a", "b", "b1"),
    fc.constantFrom("t", "T", "°C"),
    fc.nat(12),
    fc.integer({ min: 1, max: 3 }),
  )
  .map(([device, metric, at, revision]) => [device, metric, at, revision, at * 10 + revision]);

const order = (a: Row, b: Row) => compare(a[0], b[0]) || compare(a[1], b[1]) || a[2] - b[2] || a[3] - b[3];

/** A file: sorted rows, cut into the pieces in which they are read; some are empty. */
const file = fc
  .tuple(fc.array(row, { maxLength: 40 }), fc.array(fc.nat(10), { minLength: 1, maxLength: 8 }))
  .map(([rows, lengths]) => {
    const sorted = rows.toSorted(order);
    const pieces: Row[][] = [];
    for (const length of lengths) pieces.push(sorted.splice(0, length));
    return [...pieces, sorted];
  });

const columnsOf = (rows: readonly Row[]): Rows => ({
  device: rows.map(([device]) => device),
  metric: rows.map(([, metric]) => metric),
  at: Float64Array.from(rows, ([, , at]) => at),
  value: Float64Array.from(rows, ([, , , , value]) => value),
  revision: Float64Array.from(rows, ([, , , revision]) => revision),
  block_start: new Float64Array(rows.length).fill(7),
  block_end: new Float64Array(rows.length).fill(9),
});

const rowsIn = ({ device, metric, at, revision, value }: Rows): Row[] =>
  device.map((name, i) => [name, metric[i]!, at![i] as number, revision![i] as number, value![i] as number]);

async function* read(pieces: readonly Row[][]): AsyncGenerator<Rows> {
  for (const piece of pieces) yield columnsOf(piece);
}

async function merged(files: readonly Row[][][], groupRows: number, layout: Layout = RAW): Promise<Row[][]> {
  const groups: Row[][] = [];
  for await (const group of mergeRows(layout, files.map(read), () => groupRows)) groups.push(rowsIn(group));
  return groups;
}

describe("merging files", () => {
  it("[S13] keeps of each reading the highest revision, once, sorted, whatever lies in which file", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { maxLength: 6 }),
        fc.integer({ min: 1, max: 50 }),
        async (files, rows) => {
          const newest = new Map<string, Row>();
          for (const row of files.flat(2)) {
            const known = newest.get(row.slice(0, 3).join("/"));
            if (known === undefined || known[3] < row[3]) newest.set(row.slice(0, 3).join("/"), row);
          }
          const small = { ...RAW, groupRowsMax: 50 };
          expect((await merged(files, rows, small)).flat()).toEqual([...newest.values()].sort(order));
        },
      ),
    );
  });

  it("[S13] gives groups no longer than asked, and ends one at a change of metric when it can", async () => {
    const rows = (metric: string, count: number) =>
      Array.from({ length: count }, (_, at): Row => ["d", metric, at, 1, at]);
    const small = { ...RAW, groupRowsMax: 100 };
    const lengths = async (counts: number[], groupRows: number) =>
      (await merged([[counts.flatMap((count, i) => rows(`m${i}`, count))]], groupRows, small)).map(
        ({ length }) => length,
      );
    expect(await lengths([30, 30, 30], 30)).toEqual([30, 30, 30]);
    expect(await lengths([30, 30, 30], 40)).toEqual([30, 30, 30]);
    expect(await lengths([30, 30, 30], 70)).toEqual([60, 30]);
    expect(await lengths([250], 100)).toEqual([100, 100, 50]);
    expect(await lengths([10, 240], 100)).toEqual([100, 100, 50]);
    expect(await lengths([], 100)).toEqual([]);
  });

  it("[S13] a reading's revisions on both sides of a group's end are one row", async () => {
    const at = (first: number, revision: number) =>
      Array.from({ length: 6 }, (_, i): Row => ["d", "m", first + i, revision, revision]);
    const files = [[at(0, 1)], [at(5, 2)], [at(5, 3).slice(0, 1)]];
    const small = { ...RAW, groupRowsMax: 6 };
    expect((await merged(files, 6, small)).flat().map(([, , at, revision]) => [at, revision])).toEqual([
      ...[0, 1, 2, 3, 4].map((instant) => [instant, 1]),
      [5, 3],
      ...[6, 7, 8, 9, 10].map((instant) => [instant, 2]),
    ]);
  });
});

describe("row groups", () => {
  it("[Q5] make the footer as long as a group, unless that is below 64 KiB or too much to hold decoded", () => {
    const groupBytes = (bytes: number, rows: number) => (rowGroupRows(RAW, rows, bytes) / rows) * bytes;
    for (const bytes of [50e6, 64e6]) {
      const footer = (bytes / groupBytes(bytes, bytes / 2)) * RAW.footerBytes;
      expect(groupBytes(bytes, bytes / 2) / footer).toBeCloseTo(1, 3);
    }
    expect(groupBytes(1e6, 1e5)).toBeCloseTo(65_536, -2);
    expect(rowGroupRows(RAW, 100e6, 64e6)).toBe(RAW.groupRowsMax);
  });

  it("[S5] of rows fewer than a group's are one group", () => {
    const rows = columnsOf([
      ["d", "a", 0, 1, 0],
      ["d", "b", 0, 1, 0],
    ]);
    expect(rowGroupEnd(rows, 0, 2, 2)).toBe(2);
    expect(rowGroupEnd(rows, 0, 2, 1)).toBe(1);
    expect(rowGroupEnd(rows, 1, 2, 1)).toBe(2);
  });
});
