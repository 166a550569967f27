import { env } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { windowsOfReadings } from "../../../core/window/aggregate.ts";
import { readCold } from "../../api/read-cold.ts";
import { readHourly } from "../../read-hourly.ts";
import { HOUR_MS } from "../../test-support.ts";
import type { AggregateEnv } from "../env.ts";
import { storeBlocks } from "../queues/store-blocks.ts";
import { compactFiles } from "./compact-files.ts";
import { computeZoneHours } from "./compute-zone-hours.ts";
import { deleteReplaced } from "./delete-replaced.ts";
import { exportHours } from "./export-hours.ts";

const aggregateEnv = env as unknown as AggregateEnv;
const DAY_MS = 24 * HOUR_MS;
const DAY = Date.UTC(2026, 0, 5);
const GRACE_MS = 3_600_000;
const turn = { env: aggregateEnv, cursor: "", untilMs: Number.POSITIVE_INFINITY };

let tenant = "";
let tenants = 0;
beforeEach(() => {
  tenant = `compacting-${++tenants}`;
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const pointsOf = (startMs: number, seed: number) =>
  Array.from({ length: 10 }, (_, i) => ({ at: startMs + i * 1_000, value: seed + i }));

async function store(device: string, startMs: number, seed: number, revision = 1): Promise<void> {
  const points = pointsOf(startMs, seed);
  const columns = [{ metric: "t", at: points.map(({ at }) => at), value: points.map(({ value }) => value) }];
  const span = { startMs, endMs: startMs + HOUR_MS };
  const mark = { tenant, device, ...span, revision, generation: 0, zone: "default" };
  await storeBlocks(env.WARM_0, env.COLD, [{ ...mark, block: { ...span, columns } }]);
}

/** Live files by kind, and how many wait for their deletion. */
async function filesOf(): Promise<{ raw: number; hourly: number; replaced: number }> {
  const { results } = await env.WARM_0.prepare(
    "SELECT kind, replaced_at IS NOT NULL AS replaced, count(*) AS n FROM archive_file WHERE tenant = ? GROUP BY 1, 2",
  )
    .bind(tenant)
    .all<{ kind: string; replaced: number; n: number }>();
  const count = (matches: (row: (typeof results)[number]) => boolean) =>
    results.filter(matches).reduce((sum, { n }) => sum + n, 0);
  return {
    raw: count(({ kind, replaced }) => kind === "raw" && replaced === 0),
    hourly: count(({ kind, replaced }) => kind === "hourly" && replaced === 0),
    replaced: count(({ replaced }) => replaced === 1),
  };
}

const inBucket = async () => {
  const [raw, hourly] = await Promise.all([
    env.COLD.list({ prefix: `raw/tenant=${tenant}/` }),
    env.COLD.list({ prefix: `hourly/tenant=${tenant}/` }),
  ]);
  return raw.objects.length + hourly.objects.length;
};

const rawOf = (device: string, startMs: number, endMs: number) =>
  readCold(env.WARM_0, env.COLD, { tenant, device, metric: "t", startMs, endMs }, endMs);

it("[S13] [S14] the files of a past day become one; the old ones can be read until the grace period is over", async () => {
  const hours = Array.from({ length: 24 }, (_, hour) => DAY + hour * HOUR_MS);
  for (const [hour, startMs] of hours.entries()) await store("d", startMs, hour);
  await store("d", DAY, 100, 2);
  expect(await compactFiles(turn)).toBe("");
  expect(await filesOf()).toEqual({ raw: 1, hourly: 0, replaced: 25 });
  const { at, value } = await rawOf("d", DAY, DAY + DAY_MS);
  const expected = hours.flatMap((startMs, hour) => pointsOf(startMs, hour === 0 ? 100 : hour));
  expect(at).toEqual(expected.map((point) => point.at));
  expect(value).toEqual(expected.map((point) => point.value));

  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + GRACE_MS - 60_000 });
  expect(await deleteReplaced(turn)).toBe("");
  expect(await inBucket()).toBe(26);
  vi.setSystemTime(Date.now() + 120_000);
  expect(await deleteReplaced(turn)).toBe("");
  expect(await inBucket()).toBe(1);
  expect(await filesOf()).toEqual({ raw: 1, hourly: 0, replaced: 0 });
  expect(await rawOf("d", DAY, DAY + DAY_MS)).toMatchObject({ at, value });
});

it("[S13] the files of a day that goes on wait until they are eight", async () => {
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  vi.useFakeTimers({ toFake: ["Date"], now: today + DAY_MS / 2 });
  for (let i = 0; i < 7; i++) await store(`d${i}`, today, i);
  await compactFiles(turn);
  expect(await filesOf()).toEqual({ raw: 7, hourly: 0, replaced: 0 });
  await store("d7", today, 7);
  await compactFiles(turn);
  expect(await filesOf()).toEqual({ raw: 1, hourly: 0, replaced: 8 });
});

it("[S13] [S15] the hourly files of a month become one, with the last export of each day", async () => {
  const days = [0, 1, 2].map((day) => DAY + day * DAY_MS);
  const settle = async () => {
    await computeZoneHours(turn);
    await exportHours(turn);
  };
  for (const startMs of days) await store("d", startMs, 1);
  await settle();
  await store("d", days[1]!, 50, 2);
  await settle();
  expect(await filesOf()).toMatchObject({ hourly: 4 });
  await compactFiles(turn);
  expect(await filesOf()).toMatchObject({ hourly: 1 });
  const asked = { tenant, device: "d", metric: "t", startMs: DAY, endMs: DAY + 31 * DAY_MS };
  const { hours } = await readHourly(env.WARM_0, env.COLD, asked);
  const points = days.flatMap((startMs, day) => pointsOf(startMs, day === 1 ? 50 : 1));
  expect(hours).toEqual(
    windowsOfReadings(
      points.map(({ at }) => at),
      points.map(({ value }) => value),
      HOUR_MS,
    ).map(({ startMs, summary }) => ({ startMs, summary })),
  );
});

it("[S13] a turn that ends leaves the rest to the next; what cannot be merged holds up nothing else", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  await store("a", DAY, 1);
  await store("b", DAY, 1);
  const lost = await env.WARM_0.prepare("SELECT key FROM archive_file WHERE tenant = ?")
    .bind(tenant)
    .first<string>("key");
  await env.COLD.delete(lost!);
  await store("a", DAY + DAY_MS, 1);
  await store("b", DAY + DAY_MS, 1);
  const cursor = await compactFiles({ ...turn, untilMs: 0 });
  expect(cursor).not.toBe("");
  expect(await filesOf()).toEqual({ raw: 4, hourly: 0, replaced: 0 });
  expect(await compactFiles({ ...turn, cursor })).toBe("");
  expect(await filesOf()).toEqual({ raw: 3, hourly: 0, replaced: 2 });
  expect(logged).toHaveBeenCalledOnce();
});
