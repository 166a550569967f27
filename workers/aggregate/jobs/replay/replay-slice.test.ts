import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import { rawColumns } from "../../../../core/archive/raw-rows.ts";
import type { Block } from "../../../../core/block/block.ts";
import { HOUR_MS } from "../../../test-support.ts";
import { encodeParquet } from "../../archive/write-archive.ts";
import { placeAfter, RawDay, readWholeBlocks } from "./replay-slice.ts";

vi.setConfig({ testTimeout: 60_000 });

const DAY = Date.UTC(2026, 10, 20);
const DAY_MS = 24 * HOUR_MS;

interface Stored {
  device: string;
  revision: number;
  block: Block;
}

/** Blocks that follow one another, of as many readings each as said, over the first hours of the day. */
function blocksOf(device: string, counts: number[], revision = 1): Stored[] {
  const lengthMs = 1_800_000;
  return counts.map((count, i) => {
    const startMs = DAY + i * lengthMs;
    const at = Array.from({ length: count }, (_, n) => startMs + Math.floor((n * lengthMs) / count));
    const column = (metric: string) => ({ metric, at, value: at.map((_, n) => n + revision / 10) });
    return {
      device,
      revision,
      block: { startMs, endMs: startMs + lengthMs, columns: [column("a"), column("b")] },
    };
  });
}

async function dayOf(name: string, files: Stored[][]): Promise<RawDay> {
  const stored = await Promise.all(
    files.map(async (blocks, i) => {
      const key = `raw/tenant=${name}/date=2026-11-20/${i}.parquet`;
      const bytes = encodeParquet(rawColumns(blocks), 64);
      await env.COLD.put(key, bytes);
      return { key, bytes: bytes.length };
    }),
  );
  return await RawDay.open(env.COLD, stored, DAY, DAY + DAY_MS);
}

/** Walks over the whole day with these limits; gives each slice's rows and blocks. */
async function walk(day: RawDay, limits: { rows: number; devices: number }, among?: ReadonlySet<string>) {
  const slices: { devices: string[]; rows: number; blocks: Stored[] }[] = [];
  let place = { device: "", fromMs: 0 };
  const rowsOf = await day.survey(place, among);
  for (;;) {
    const planned = day.plan(rowsOf, place, limits);
    if (planned === undefined) return slices;
    const { rows, slice } = await readWholeBlocks(day, planned, limits.rows);
    const devices = [...slice.devices];
    slices.push({
      devices,
      rows: rows.count,
      blocks: devices.flatMap((device) => rows.blocksOf(device).map((block) => ({ device, ...block }))),
    });
    place = placeAfter(slice, DAY + DAY_MS);
  }
}

const sorted = (blocks: Stored[]) =>
  blocks.toSorted((a, b) => a.device.localeCompare(b.device) || a.block.startMs - b.block.startMs);

it("[S18] slices of any size give each block of the day once and whole, at its highest revision", async () => {
  const now = [
    ...blocksOf("many", Array(12).fill(10)),
    ...blocksOf("one", [3]),
    ...blocksOf("large", [5, 100, 7, 90, 1]),
    ...blocksOf("Z", [1, 1]),
  ];
  const before = blocksOf("many", Array(12).fill(5));
  const revised = now.map((stored) => (stored.device === "many" ? { ...stored, revision: 3 } : stored));
  const day = await dayOf("any", [before, revised.slice(0, 8), revised.slice(8), revised.slice(7, 14)]);
  for (const [rows, devices] of [
    [1, 1],
    [50, 2],
    [333, 3],
    [10_000, 100],
  ] as const) {
    const slices = await walk(day, { rows, devices });
    expect(sorted(slices.flatMap(({ blocks }) => blocks)), `${rows} rows`).toEqual(sorted(revised));
    for (const slice of slices) expect(slice.devices.length).toBeLessThanOrEqual(devices);
  }
});

it("[S18] a slice holds no more rows than fit, but for a single block that is larger", async () => {
  const day = await dayOf("bounded", [
    ...Array.from({ length: 8 }, (_, i) => blocksOf(`d${i}`, [4, 4, 4])),
    blocksOf("e", Array(48).fill(40)),
  ]);
  const slices = await walk(day, { rows: 100, devices: 100 });
  expect(slices.filter(({ devices }) => devices.length > 1).map(({ rows }) => rows)).toEqual([96, 96]);
  const large = slices.filter(({ devices }) => devices.includes("e"));
  expect(large.length).toBeGreaterThan(10);
  expect(Math.max(...large.map(({ rows }) => rows))).toBeLessThanOrEqual(200);
  expect(large.reduce((sum, { rows }) => sum + rows, 0)).toBe(48 * 80);
});

it("[S18] readings that are bunched where the footer cannot say are cut smaller while they are read", async () => {
  const at = Array.from({ length: 1_000 }, (_, i) => DAY + i).concat(DAY + DAY_MS - 1);
  const pieces = [0, 250, 500, 750, 1_000].map((start, i) => {
    const own = at.slice(start, start + 250);
    const endMs = i === 4 ? DAY + DAY_MS : DAY + start + 250;
    return {
      device: "d",
      revision: 1,
      block: { startMs: own[0]!, endMs, columns: [{ metric: "a", at: own, value: own.map(() => 1) }] },
    };
  });
  const day = await dayOf("bunched", [pieces]);
  const slices = await walk(day, { rows: 300, devices: 1 });
  expect(slices.flatMap(({ blocks }) => blocks)).toEqual(pieces);
  expect(Math.max(...slices.map(({ rows }) => rows))).toBeLessThanOrEqual(600);
});

it("[S18] only the devices asked for are walked over", async () => {
  const day = await dayOf("among", [[...blocksOf("a", [3]), ...blocksOf("b", [3]), ...blocksOf("c", [3])]]);
  const slices = await walk(day, { rows: 100, devices: 10 }, new Set(["a", "c", "x"]));
  expect(slices.map(({ devices }) => devices)).toEqual([["a", "c"]]);
});
