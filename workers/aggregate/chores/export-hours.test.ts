import { env } from "cloudflare:test";
import { parquetReadObjects } from "hyparquet";
import { afterEach, expect, it, vi } from "vitest";
import { decodeBlock } from "../../../core/block/decode.ts";
import { windowsOfReadings } from "../../../core/window/aggregate.ts";
import { DECOMPRESSORS, openParquet } from "../../parquet.ts";
import { readHourly } from "../../read-hourly.ts";
import { blockMessageOf, HOUR_MS } from "../../test-support.ts";
import type { AggregateEnv } from "../env.ts";
import { storeBlocks } from "../queues/store-blocks.ts";
import { computeZoneHours } from "./compute-zone-hours.ts";
import { exportHours } from "./export-hours.ts";

const aggregateEnv = env as unknown as AggregateEnv;
const DAY_MS = 24 * HOUR_MS;
const DAY = Date.UTC(2026, 0, 5);
const turn = { env: aggregateEnv, cursor: "", untilMs: Number.POSITIVE_INFINITY };

afterEach(() => {
  vi.useRealTimers();
});

type Points = [at: number, value: number][];

/** Readings of an hour, different for each device, hour and revision. */
const pointsOf = (startMs: number, seed: number): Points =>
  Array.from({ length: 7 }, (_, i) => [startMs + i * 500_000, 20 + Math.sin(seed + i) / 3]);

async function store(tenant: string, device: string, startMs: number, points: Points, revision = 1) {
  const message = blockMessageOf(tenant, device, startMs, { t: points, "°C": points.slice(0, 2) }, revision);
  await storeBlocks(env.WARM_0, env.COLD, [{ ...message, block: decodeBlock(message.block) }]);
}

async function settle() {
  await computeZoneHours(turn);
  expect(await exportHours(turn)).toBe("");
}

const hoursIn = (tenant: string, device: string, startMs: number, endMs: number, metric = "t") =>
  readHourly(env.WARM_0, env.COLD, { tenant, device, metric, startMs, endMs });
const expected = (points: Points) =>
  windowsOfReadings(
    points.map(([at]) => at),
    points.map(([, value]) => value),
    HOUR_MS,
  ).map(({ startMs, summary }) => ({ startMs, summary }));

const dayOf = (tenant: string) =>
  env.WARM_0.prepare("SELECT dirty, taken_by AS takenBy, revision FROM archive_day WHERE tenant = ?")
    .bind(tenant)
    .all<{ dirty: number; takenBy: number; revision: number }>()
    .then(({ results }) => results);

it("[S15] the hours of a day are in the hourly file to the last bit, for each device and metric", async () => {
  const devices = ["a", "b", "c-1"];
  const points = devices.map((_, d) =>
    [0, 1, 23].flatMap((hour) => pointsOf(DAY + hour * HOUR_MS, d + hour)),
  );
  for (const [d, device] of devices.entries()) {
    for (const hour of [0, 1, 23]) {
      const own = points[d]!.filter(([at]) => Math.floor((at - DAY) / HOUR_MS) === hour);
      await store("exact", device, DAY + hour * HOUR_MS, own);
    }
  }
  await settle();
  for (const [d, device] of devices.entries()) {
    const { hours, bytesRead } = await hoursIn("exact", device, DAY, DAY + DAY_MS);
    expect(hours).toEqual(expected(points[d]!));
    expect(bytesRead).toBeGreaterThan(0);
    const firsts = [0, 1, 23].flatMap((hour) => points[d]!.slice([0, 1, 23].indexOf(hour) * 7).slice(0, 2));
    expect((await hoursIn("exact", device, DAY, DAY + DAY_MS, "°C")).hours).toEqual(expected(firsts));
  }
  expect((await hoursIn("exact", "a", DAY + HOUR_MS, DAY + 2 * HOUR_MS)).hours).toEqual(
    expected(points[0]!.slice(7, 14)),
  );
  expect((await hoursIn("exact", "nobody", DAY, DAY + DAY_MS)).hours).toEqual([]);
  expect(await dayOf("exact")).toEqual([{ dirty: 0, takenBy: 0, revision: 1 }]);
});

it("[S15] blocks that share an hour are merged into it", async () => {
  const points = pointsOf(DAY, 3).map(([at], i): [number, number] => [at, 2 ** i]);
  const block = (device: string, own: Points, startMs: number, endMs: number) => ({
    ...{ tenant: "parts", device, startMs, endMs, revision: 1, generation: 0, zone: "hall" },
    block: {
      startMs,
      endMs,
      columns: [{ metric: "t", at: own.map(([at]) => at), value: own.map(([, v]) => v) }],
    },
  });
  const half = DAY + HOUR_MS / 2;
  await storeBlocks(env.WARM_0, env.COLD, [
    block(
      "d",
      points.filter(([at]) => at < half),
      DAY,
      half,
    ),
    block(
      "d",
      points.filter(([at]) => at >= half),
      half,
      DAY + HOUR_MS,
    ),
  ]);
  await settle();
  expect((await hoursIn("parts", "d", DAY, DAY + DAY_MS)).hours).toEqual(expected(points));
});

it("[S15] a day that changes is written again at a higher revision, whose figures count", async () => {
  await store("changes", "d", DAY, pointsOf(DAY, 1));
  await store("changes", "e", DAY, pointsOf(DAY, 1));
  await settle();
  await settle();
  expect(await dayOf("changes")).toEqual([{ dirty: 0, takenBy: 0, revision: 1 }]);
  await store("changes", "d", DAY, pointsOf(DAY, 2), 2);
  await settle();
  expect(await dayOf("changes")).toEqual([{ dirty: 0, takenBy: 0, revision: 2 }]);
  expect((await hoursIn("changes", "d", DAY, DAY + DAY_MS)).hours).toEqual(expected(pointsOf(DAY, 2)));
  expect((await hoursIn("changes", "e", DAY, DAY + DAY_MS)).hours).toEqual(expected(pointsOf(DAY, 1)));
});

it("[S15] a block stored while its day is exported leaves the day dirty", async () => {
  await store("meanwhile", "d", DAY, pointsOf(DAY, 1));
  await computeZoneHours(turn);
  const late = async () => {
    await store("meanwhile", "d", DAY + HOUR_MS, pointsOf(DAY + HOUR_MS, 1));
    await computeZoneHours(turn);
  };
  const COLD = intercepted(env.COLD, late);
  await exportHours({ ...turn, env: { ...aggregateEnv, COLD } });
  expect(await dayOf("meanwhile")).toEqual([{ dirty: 1, takenBy: 0, revision: 1 }]);
  await settle();
  expect(await dayOf("meanwhile")).toEqual([{ dirty: 0, takenBy: 0, revision: 2 }]);
  expect((await hoursIn("meanwhile", "d", DAY, DAY + DAY_MS)).hours).toHaveLength(2);
});

it("[S15] [S17] what an export read of a device that is deleted meanwhile is not named, and the day is written again", async () => {
  await store("deleted", "d", DAY, pointsOf(DAY, 1));
  await store("deleted", "e", DAY, pointsOf(DAY, 1));
  await computeZoneHours(turn);
  const remove = async () => {
    await env.WARM_0.batch([
      env.WARM_0.prepare("INSERT INTO tombstone VALUES ('deleted', 'd', 0, NULL, 0)"),
      env.WARM_0.prepare("DELETE FROM rollup WHERE tenant = 'deleted' AND device = 'd'"),
    ]);
  };
  const COLD = intercepted(env.COLD, remove);
  await exportHours({ ...turn, env: { ...aggregateEnv, COLD } });
  expect((await hoursIn("deleted", "d", DAY, DAY + DAY_MS)).hours).toEqual([]);
  await settle(); // nothing while the deletion goes on
  expect((await hoursIn("deleted", "e", DAY, DAY + DAY_MS)).hours).toEqual([]);
  await env.WARM_0.prepare("UPDATE tombstone SET finished_at = 0 WHERE tenant = 'deleted'").run();
  await settle();
  expect((await hoursIn("deleted", "d", DAY, DAY + DAY_MS)).hours).toEqual([]);
  expect((await hoursIn("deleted", "e", DAY, DAY + DAY_MS)).hours).toEqual(expected(pointsOf(DAY, 1)));
});

it("[S15] a day is not exported before it has ended and its hours are computed", async () => {
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  vi.useFakeTimers({ toFake: ["Date"], now: today + DAY_MS / 2 });
  await store("today", "d", today, pointsOf(today, 1));
  await store("waiting", "d", DAY, pointsOf(DAY, 1));
  await computeZoneHours(turn);
  await store("waiting", "d", DAY + HOUR_MS, pointsOf(DAY + HOUR_MS, 1));
  await exportHours(turn);
  expect(await dayOf("today")).toEqual([{ dirty: 1, takenBy: 0, revision: 0 }]);
  expect(await dayOf("waiting")).toEqual([{ dirty: 1, takenBy: 0, revision: 0 }]);
});

it("[S15] users read mean, standard deviation, quantiles and zone from the file as they are", async () => {
  await store("users", "d", DAY, [
    [DAY, 1],
    [DAY + 1, 3],
  ]);
  await settle();
  const file = (await env.WARM_0.prepare(
    "SELECT key, bytes, date, from_ms AS fromMs, to_ms AS toMs, row_count AS rows FROM archive_file WHERE tenant = 'users' AND kind = 'hourly'",
  ).first<{ key: string; bytes: number; date: string; fromMs: number; toMs: number; rows: number }>())!;
  expect(file).toMatchObject({ date: "2026-01-01", fromMs: DAY, toMs: DAY + DAY_MS, rows: 2 });
  expect(file.key).toMatch(/^hourly\/tenant=users\/date=2026-01-01\/[0-9a-f]{32}\.parquet$/);
  const open = await openParquet(env.COLD, file.key, file.bytes);
  const [, row] = await parquetReadObjects({ ...open, compressors: DECOMPRESSORS });
  const figures = { count: 2, min: 1, max: 3, mean: 2, stddev: 1, sum: 4, first: 1, last: 3 };
  expect(row).toMatchObject({ device: "d", metric: "°C", zone: "default", start: new Date(DAY), ...figures });
  expect(Math.abs(row!.p50 - 1)).toBeLessThanOrEqual(0.01);
});

it("[S15] a turn that ends goes on at the next day", async () => {
  for (const day of [0, 1, 2]) await store("turns", "d", DAY + day * DAY_MS, pointsOf(DAY + day * DAY_MS, 1));
  await computeZoneHours(turn);
  let cursor = "";
  let turns = 0;
  do {
    cursor = await exportHours({ ...turn, cursor, untilMs: turns++ === 0 ? 0 : Number.POSITIVE_INFINITY });
  } while (cursor !== "");
  expect(turns).toBe(2);
  expect(await dayOf("turns")).toEqual(Array(3).fill({ dirty: 0, takenBy: 0, revision: 1 }));
});

/** A bucket before whose first write something happens. */
function intercepted(bucket: R2Bucket, before: () => Promise<void>): R2Bucket {
  let done = false;
  const put = async (key: string, value: Uint8Array<ArrayBuffer>) => {
    if (!done) {
      done = true;
      await before();
    }
    return await bucket.put(key, value);
  };
  return { put, get: bucket.get.bind(bucket) } as unknown as R2Bucket;
}
