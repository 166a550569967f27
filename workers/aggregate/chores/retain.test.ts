import { env } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { TenantSettings } from "../../../schemas/tenant.ts";
import { readHourly } from "../../read-hourly.ts";
import { changeSettings } from "../../tenant.ts";
import { HOUR_MS } from "../../test-support.ts";
import type { AggregateEnv } from "../env.ts";
import { storeBlocks } from "../queues/store-blocks.ts";
import { compactFiles } from "./compact-files.ts";
import { computeZoneHours } from "./compute-zone-hours.ts";
import { exportHours } from "./export-hours.ts";
import { retain } from "./retain.ts";

const aggregateEnv = env as unknown as AggregateEnv;
const DAY_MS = 24 * HOUR_MS;
const TODAY = Date.UTC(2026, 10, 22);
const turn = { env: aggregateEnv, cursor: "", untilMs: Number.POSITIVE_INFINITY };

let tenant = "";
let tenants = 0;
// Whole days are counted from today: it stays today until the test is over.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: TODAY + DAY_MS / 2 });
  tenant = `retaining-${++tenants}`;
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const keep = (retention: Partial<TenantSettings["retention"]>) =>
  changeSettings(env.TENANT, tenant, {
    latenessHorizonMs: HOUR_MS,
    retention: { rawDays: 1, hourlyDays: 365, archiveDays: null, ...retention },
  });

/** A reading each in two hours of the day, `daysAgo` days before today. */
async function store(daysAgo: number, device = "d", revision = 1): Promise<void> {
  for (const hour of [0, 23]) {
    const startMs = TODAY - daysAgo * DAY_MS + hour * HOUR_MS;
    const span = { startMs, endMs: startMs + HOUR_MS };
    const columns = [{ metric: "t", at: [startMs + 1], value: [revision] }];
    const mark = { tenant, device, ...span, revision, generation: 0, zone: "default" };
    await storeBlocks(env.WARM_0, env.COLD, [{ ...mark, block: { ...span, columns } }]);
  }
}

const settle = async () => {
  await computeZoneHours(turn);
  await exportHours(turn);
};

/** How many days ago the days are of which D1 has rollups, and how many. */
const inD1 = async () => {
  const { results } = await env.WARM_0.prepare(
    "SELECT CAST(?2 - start_ms + 86399999 AS INTEGER) / 86400000 AS days, count(*) AS n FROM rollup WHERE tenant = ?1 GROUP BY 1 ORDER BY 1",
  )
    .bind(tenant, TODAY)
    .all<{ days: number; n: number }>();
  return Object.fromEntries(results.map(({ days, n }) => [days, n]));
};

const retained = () =>
  env.WARM_0.prepare("SELECT * FROM retained WHERE tenant = ?").bind(tenant).first<Record<string, number>>();

const hours = async (daysAgo: number, device = "d") => {
  const startMs = TODAY - daysAgo * DAY_MS;
  const asked = { tenant, device, metric: "t", startMs, endMs: startMs + DAY_MS };
  const found = await readHourly(env.WARM_0, env.COLD, asked);
  return found.hours.map(({ summary }) => summary.sum.high);
};

it("[S16] [S36] rollups older than hourlyDays leave D1 in whole days, once they are in hourly files, and are counted", async () => {
  await keep({ hourlyDays: 3 });
  for (const days of [1, 2, 3, 4, 5]) {
    await store(days);
    await store(days, "e");
  }
  await retain(turn);
  expect(await inD1()).toEqual({ 1: 4, 2: 4, 3: 4, 4: 4, 5: 4 });
  await settle();
  expect(await retain(turn)).toBe("");
  expect(await inD1()).toEqual({ 1: 4, 2: 4, 3: 4 });
  expect(await retained()).toMatchObject({ hourly_from_ms: TODAY - 3 * DAY_MS, rollups_deleted: 8 });
  for (const days of [4, 5]) expect(await hours(days)).toEqual([1, 1]);
  await retain(turn);
  expect(await retained()).toMatchObject({ hourly_from_ms: TODAY - 3 * DAY_MS, rollups_deleted: 8 });
});

it("[S34] hourlyDays of less than the lateness horizon and a day are as many: late readings find their rollups", async () => {
  await changeSettings(env.TENANT, tenant, {
    latenessHorizonMs: 2 * DAY_MS,
    retention: { rawDays: 1, hourlyDays: 1, archiveDays: null },
  });
  for (const days of [2, 3, 4]) await store(days);
  await settle();
  await retain(turn);
  expect(await inD1()).toEqual({ 2: 2, 3: 2 });
});

it("[S16] a day that is not exported as it now is stays, and those after it", async () => {
  await keep({ hourlyDays: 1 });
  for (const days of [3, 4, 5]) await store(days);
  await settle();
  await store(4, "late");
  await retain(turn);
  expect(await inD1()).toEqual({ 3: 2, 4: 4 });
  expect(await retained()).toMatchObject({ hourly_from_ms: TODAY - 4 * DAY_MS, rollups_deleted: 2 });
  await computeZoneHours(turn);
  await retain(turn);
  expect(await inD1()).toEqual({ 3: 2, 4: 4 });
  await exportHours(turn);
  await retain(turn);
  expect(await inD1()).toEqual({});
  expect(await hours(4, "late")).toEqual([1, 1]);
  expect(await hours(4)).toEqual([1, 1]);
});

it("[S37] what is stored of a day that had left D1 is in the raw files, and the day's hours stay as they were", async () => {
  await keep({ hourlyDays: 1 });
  for (const days of [3, 4]) await store(days);
  await settle();
  await retain(turn);
  await store(4, "imported");
  await retain(turn);
  expect(await inD1()).toEqual({ 4: 2 });
  await settle();
  await retain(turn);
  expect(await retained()).toMatchObject({ hourly_from_ms: TODAY - 2 * DAY_MS, rollups_deleted: 4 });
  expect(await hours(4, "imported")).toEqual([]);
  expect(await hours(4)).toEqual([1, 1]);
});

it("[S35] the hours of zones and of the fleet are kept for a year, or longer where hourlyDays is", async () => {
  await keep({ hourlyDays: 30 });
  for (const days of [1, 300, 366, 400]) await store(days);
  await settle();
  await retain(turn);
  const zoneDays = async () => {
    const { results } = await env.WARM_0.prepare(
      "SELECT DISTINCT CAST(?2 - hour_ms + 86399999 AS INTEGER) / 86400000 AS days FROM zone_hour WHERE tenant = ?1 ORDER BY 1",
    )
      .bind(tenant, TODAY)
      .all<{ days: number }>();
    return results.map(({ days }) => days);
  };
  expect(await zoneDays()).toEqual([1, 300]);
  expect(await inD1()).toEqual({ 1: 2 });
});

it("[S35] [S36] files older than archiveDays leave the archive in whole partitions, and are counted", async () => {
  await keep({ archiveDays: 70 });
  for (const days of [70, 71, 140]) await store(days);
  await settle();
  await compactFiles(turn);
  const live = async () => {
    const { results } = await env.WARM_0.prepare(
      `SELECT kind, CAST(?2 - from_ms + 86399999 AS INTEGER) / 86400000 AS days, bytes FROM archive_file
       WHERE tenant = ?1 AND replaced_at IS NULL ORDER BY kind, days`,
    )
      .bind(tenant, TODAY)
      .all<{ kind: string; days: number; bytes: number }>();
    return results;
  };
  const before = await live();
  await retain(turn);
  const after = await live();
  // The month of the hourly file 140 days ago is over 70 days ago; that of the other may not be.
  expect(after.filter(({ kind }) => kind === "raw").map(({ days }) => days)).toEqual([70]);
  expect(after.filter(({ kind, days }) => kind === "hourly" && days === 140)).toEqual([]);
  const gone = before.filter(
    ({ kind, days }) => !after.some((file) => file.kind === kind && file.days === days),
  );
  expect(await retained()).toMatchObject({
    files_deleted: gone.length,
    bytes_deleted: gone.reduce((sum, { bytes }) => sum + bytes, 0),
  });
  expect(await hours(70)).toEqual([1, 1]);
});

it("[S16] a turn that ends goes on where it was; tenants whose settings cannot be read keep what they have", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  await keep({ hourlyDays: 1 });
  for (const days of [3, 4]) await store(days);
  await settle();
  const cursor = await retain({ ...turn, untilMs: 0 });
  expect(cursor).not.toBe("");
  expect(await retain({ ...turn, env: { ...aggregateEnv, TENANT: {} as never } })).toBe("");
  expect(logged).toHaveBeenCalled();
  expect(await inD1()).toEqual({ 3: 2, 4: 2 });
  expect(await retain({ ...turn, cursor })).toBe("");
  expect(await inD1()).toEqual({});
});
