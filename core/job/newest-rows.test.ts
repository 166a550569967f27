import { expect, it } from "vitest";
import type { Rows } from "../archive/layout.ts";
import { rawColumns } from "../archive/raw-rows.ts";
import { HOUR_MS } from "../time.ts";
import { NewestRows } from "./newest-rows.ts";

const T0 = Date.UTC(2026, 10, 22, 10);
const ALL = { devices: new Set(["d1", "d2"]), fromMs: T0, toMs: T0 + 24 * HOUR_MS };

/** Rows of one block as its file has them. */
const stored = (
  device: string,
  [startMs, endMs]: [number, number],
  revision: number,
  metrics: Record<string, [at: number, value: number][]>,
): Rows =>
  rawColumns([
    {
      device,
      revision,
      block: {
        startMs,
        endMs,
        columns: Object.entries(metrics).map(([metric, points]) => ({
          metric,
          at: points.map(([at]) => at),
          value: points.map(([, value]) => value),
        })),
      },
    },
  ]);

const of = (...files: Rows[]) => {
  const rows = new NewestRows();
  for (const file of files) rows.add(file, ALL);
  rows.settle();
  return rows;
};

const hour: [number, number] = [T0, T0 + HOUR_MS];

it("[S18] of the rows of a reading the highest revision stays, in any order of the files, and names its block", () => {
  const first = stored("d1", hour, 1, {
    a: [
      [T0, 1],
      [T0 + 2, 2],
    ],
  });
  const second = stored("d1", hour, 2, {
    a: [
      [T0, 1],
      [T0 + 1, 7],
      [T0 + 2, 9],
    ],
    b: [[T0, -0]],
  });
  const expected = [
    {
      revision: 2,
      block: {
        startMs: T0,
        endMs: T0 + HOUR_MS,
        columns: [
          { metric: "a", at: [T0, T0 + 1, T0 + 2], value: [1, 7, 9] },
          { metric: "b", at: [T0], value: [-0] },
        ],
      },
    },
  ];
  expect(of(first, second).blocksOf("d1")).toEqual(expected);
  expect(of(second, first, second).blocksOf("d1")).toEqual(expected);
  expect(of(second, first).count).toBe(4);
});

it("[S18] an hour that was cut at its second revision comes back as the two blocks it is now", () => {
  const points: [number, number][] = [
    [T0, 1],
    [T0 + 1_000, 2],
    [T0 + 2_000, 3],
    [T0 + 3_000, 4],
  ];
  const whole = stored("d1", hour, 1, { a: points.slice(0, 3) });
  const earlier = stored("d1", [T0, T0 + 2_000], 2, { a: points.slice(0, 2) });
  const later = stored("d1", [T0 + 2_000, T0 + HOUR_MS], 2, { a: points.slice(2) });
  const blocks = of(later, whole, earlier).blocksOf("d1");
  expect(blocks.map(({ revision, block }) => [revision, block.startMs - T0, block.endMs - T0])).toEqual([
    [2, 0, 2_000],
    [2, 2_000, HOUR_MS],
  ]);
  expect(blocks.flatMap(({ block }) => block.columns[0]!.value)).toEqual([1, 2, 3, 4]);
});

it("[S18] of a block that was cut, what lies behind the cut is left out until the later part is stored", () => {
  const points: [number, number][] = [
    [T0, 1],
    [T0 + 1_000, 2],
    [T0 + 2_000, 3],
    [T0 + 3_000, 4],
  ];
  const whole = stored("d1", hour, 1, { a: points.slice(0, 3), b: points.slice(2, 3) });
  const earlier = stored("d1", [T0, T0 + 2_000], 2, { a: points.slice(0, 2) });
  const later = stored("d1", [T0 + 2_000, T0 + HOUR_MS], 2, { a: points.slice(2), b: points.slice(2, 3) });
  const first = {
    revision: 2,
    block: {
      startMs: T0,
      endMs: T0 + 2_000,
      columns: [{ metric: "a", at: [T0, T0 + 1_000], value: [1, 2] }],
    },
  };
  expect(of(whole, earlier).blocksOf("d1")).toEqual([first]);
  const blocks = of(later, whole, earlier).blocksOf("d1");
  expect(blocks[0]).toEqual(first);
  expect(blocks[1]!.block.columns.map(({ metric, value }) => [metric, value])).toEqual([
    ["a", [3, 4]],
    ["b", [3]],
  ]);
});

it("[S18] rows of the older layout, which does not say the block, come back by the hour", () => {
  const {
    block_start: _start,
    block_end: _end,
    ...columns
  } = stored("d1", hour, 1, {
    a: [
      [T0 + 5, 1],
      [T0 + HOUR_MS, 2],
    ],
  });
  const blocks = of(columns as Rows).blocksOf("d1");
  expect(blocks.map(({ block }) => [block.startMs, block.endMs])).toEqual([
    [T0, T0 + HOUR_MS],
    [T0 + HOUR_MS, T0 + 2 * HOUR_MS],
  ]);
});

it("[S18] only the slice's devices and instants are taken, and what was cut off is forgotten", () => {
  const rows = new NewestRows();
  const points: [number, number][] = [
    [T0, 1],
    [T0 + 10, 2],
    [T0 + 20, 3],
  ];
  for (const device of ["d1", "d2", "d3"]) {
    rows.add(stored(device, hour, 1, { a: points, b: points }), {
      devices: new Set(["d1", "d3"]),
      fromMs: T0 + 1,
      toMs: T0 + 20,
    });
  }
  expect([rows.readingsOf("d2").size, rows.count]).toEqual([0, 4]);
  expect(rows.spanOver(T0 + 10)).toEqual(hour);
  expect(rows.spanOver(T0 + HOUR_MS)).toBeUndefined();
  rows.add(stored("d1", hour, 1, { c: points }), ALL);
  expect(rows.median()).toBe(T0 + 10);
  rows.cut(T0 + 10);
  rows.settle();
  expect([rows.count, [...rows.readingsOf("d1").keys()]]).toEqual([1, ["a", "b", "c"]]);
  expect(rows.readingsOf("d1").get("c")).toMatchObject({ at: [T0], value: [1] });
});
