import { env } from "cloudflare:test";
import { beforeAll, expect, it, vi } from "vitest";
import { decodeBlock } from "../../core/block/decode.ts";
import { windowPointOf } from "../../core/history/point.ts";
import { windowsOfReadings } from "../../core/window/aggregate.ts";
import type { HistoryAnswer, Tier } from "../../schemas/query.ts";
import { computeZoneHours } from "../aggregate/chores/compute-zone-hours.ts";
import { exportHours } from "../aggregate/chores/export-hours.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { storeBlocks } from "../aggregate/queues/store-blocks.ts";
import { blockMessageOf, HOUR_MS, T0 } from "../test-support.ts";
import { apiEnv } from "./api-test-support.ts";
import type { ApiEnv } from "./env.ts";
import { readHistory } from "./history.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const DAY_MS = 24 * HOUR_MS;
const DAY = Date.UTC(2026, 0, 5);
const END = DAY + 4 * DAY_MS;
const POINTS = Array.from({ length: 4 * 24 * 4 }, (_, i): [number, number] => [
  DAY + i * 900_000,
  (i * 37) % 101,
]);
const hours = windowsOfReadings(
  POINTS.map(([at]) => at),
  POINTS.map(([, value]) => value),
  HOUR_MS,
).map(windowPointOf);

/** Four days in D1 and in hourly files; the device has no object of its own. */
async function store(tenant: string): Promise<void> {
  await env.CONTROL.prepare(
    "INSERT INTO device (tenant, device, zone, created_at) VALUES (?, 'd1', 'default', 0)",
  )
    .bind(tenant)
    .run();
  for (let startMs = DAY; startMs < END; startMs += HOUR_MS) {
    const a = POINTS.filter(([at]) => at >= startMs && at < startMs + HOUR_MS);
    const message = blockMessageOf(tenant, "d1", startMs, { a });
    await storeBlocks(env.WARM_0, env.COLD, [{ ...message, block: decodeBlock(message.block) }]);
  }
}

/** What retention does: from `fromMs` on D1 has all, before that the files have. */
const retain = (tenant: string, fromMs: number) => [
  env.WARM_0.prepare("DELETE FROM rollup WHERE tenant = ? AND start_ms < ?").bind(tenant, fromMs),
  env.WARM_0.prepare(
    `INSERT INTO retained VALUES (?, ?, 0, 0, 0, 0) ON CONFLICT (tenant) DO UPDATE SET hourly_from_ms = excluded.hourly_from_ms`,
  ).bind(tenant, fromMs),
];

const query = { metric: "a", from: DAY, to: END, thin: "lttb" } as const;
const ask = (
  tenant: string,
  resolution: "1h" | "1d",
  bindings: ApiEnv = apiEnv,
  source: "auto" | Tier = "auto",
) => readHistory(bindings, tenant, "d1", { ...query, resolution, source }, T0);
const parts = ({ segments }: HistoryAnswer) =>
  segments.map(({ source, startMs, endMs }) => [source, startMs, endMs]);

beforeAll(async () => {
  for (const tenant of ["retained", "meanwhile"]) await store(tenant);
  const turn = { env: env as unknown as AggregateEnv, cursor: "", untilMs: Number.POSITIVE_INFINITY };
  await computeZoneHours(turn);
  expect(await exportHours(turn)).toBe("");
});

it("[Q13] hours and days come from the hourly files where D1 no longer has them, and are the same", async () => {
  const days = await ask("retained", "1d");
  expect(await ask("retained", "1h")).toMatchObject({ source: "warm", points: hours });
  await env.WARM_0.batch(retain("retained", DAY + 2 * DAY_MS));
  const hourly = await ask("retained", "1h");
  expect(parts(hourly)).toEqual([
    ["cold", DAY, DAY + 2 * DAY_MS],
    ["warm", DAY + 2 * DAY_MS, END],
  ]);
  expect(hourly.points).toEqual(hours);
  expect(hourly.bytesRead).toBeGreaterThan(0);
  expect((await ask("retained", "1d")).points).toEqual(days.points);
});

it("[Q13] a day that straddles the tiers is one window of both", async () => {
  // Retention goes by whole days; a plan holds for any hour.
  const days = await ask("retained", "1d", apiEnv, "cold");
  await env.WARM_0.batch(retain("retained", DAY + 3 * DAY_MS + 7 * HOUR_MS));
  const stitched = await ask("retained", "1d");
  expect(stitched.source).toBe("mixed");
  expect(stitched.points).toEqual(days.points);
});

it("[Q13] [S16] hours that leave D1 between the plan and the reading come from the files", async () => {
  let isRetained = false;
  const moving = new Proxy(env.WARM_0, {
    get(database, name: keyof D1Database) {
      if (name !== "batch")
        return (...args: never[]) => (database[name] as (...args: never[]) => unknown)(...args);
      return async (statements: D1PreparedStatement[]) => {
        if (!isRetained) await database.batch(retain("meanwhile", DAY + DAY_MS));
        isRetained = true;
        return await database.batch(statements);
      };
    },
  });
  const answer = await ask("meanwhile", "1h", { ...apiEnv, WARM_0: moving });
  expect(isRetained).toBe(true);
  expect(parts(answer)).toEqual([
    ["cold", DAY, DAY + DAY_MS],
    ["warm", DAY + DAY_MS, END],
  ]);
  expect(answer.points).toEqual(hours);
});
