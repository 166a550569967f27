import { env } from "cloudflare:test";
import { beforeAll, expect, it, vi } from "vitest";
import { decodeBlock } from "../../core/block/decode.ts";
import type { DeviceEntry, ExtentAnswer, LatestAnswer } from "../../schemas/query.ts";
import { computeZoneHours } from "../aggregate/chores/compute-zone-hours.ts";
import { exportHours } from "../aggregate/chores/export-hours.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { storeBlocks } from "../aggregate/queues/store-blocks.ts";
import { blockMessageOf, HOUR_MS, packed, problem } from "../test-support.ts";
import { answerOf, ask, register } from "./api-test-support.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const DAY_MS = 24 * HOUR_MS;
const DAY = Date.UTC(2026, 0, 5);
const MINUTE_MS = 60_000;

/** Blocks of a device in D1 and the archive that its object knows nothing of: as an import leaves them. */
async function importBlocks(
  tenant: string,
  device: string,
  ...blocks: [startMs: number, readings: Record<string, [at: number, value: number][]>, lengthMs?: number][]
): Promise<void> {
  for (const [startMs, readings, lengthMs] of blocks) {
    const message = blockMessageOf(tenant, device, startMs, readings, 1, lengthMs);
    await storeBlocks(env.WARM_0, env.COLD, [{ ...message, block: decodeBlock(message.block) }]);
  }
}

/** What retention does to a tenant: D1 has nothing before `fromMs`, the hourly files have it. */
const retain = (tenant: string, fromMs: number) =>
  env.WARM_0.batch([
    env.WARM_0.prepare("DELETE FROM rollup WHERE tenant = ? AND start_ms < ?").bind(tenant, fromMs),
    env.WARM_0.prepare("INSERT OR REPLACE INTO retained VALUES (?, ?, 0, 0, 0, 0)").bind(tenant, fromMs),
  ]);

const extentOf = (tenant: string, device: string) =>
  answerOf<ExtentAnswer>(ask(tenant, "viewer", `/v1/devices/${device}/extent`));
const listOf = async (tenant: string, query: string) =>
  (await answerOf<{ devices: DeviceEntry[] }>(ask(tenant, "viewer", `/v1/devices?${query}`))).devices;

beforeAll(async () => {
  for (const tenant of ["extent", "retained"]) {
    await register(
      tenant,
      ["d1", "d2", "m", "z"].map((device) => ({ device })),
    );
    for (const device of ["d1", "z"]) {
      await importBlocks(
        tenant,
        device,
        [DAY, { a: [[DAY + 7 * MINUTE_MS, 1 / 3]], old: [[DAY + MINUTE_MS, 5]] }],
        [DAY + DAY_MS, { a: [[DAY + DAY_MS + 1, 2]] }],
        // One block of two clock hours
        [
          DAY + 2 * DAY_MS,
          {
            a: [
              [DAY + 2 * DAY_MS, 3],
              [DAY + 2 * DAY_MS + 90 * MINUTE_MS, 0.1 + 0.2],
            ],
          },
          2 * HOUR_MS,
        ],
      );
    }
  }
  const turn = { env: env as unknown as AggregateEnv, cursor: "", untilMs: Number.POSITIVE_INFINITY };
  await computeZoneHours(turn);
  expect(await exportHours(turn)).toBe("");
  await retain("retained", DAY + 30 * DAY_MS);
});

const NEWEST_AT = DAY + 2 * DAY_MS + 90 * MINUTE_MS;
const EXTENT = {
  device: "d1",
  fromMs: DAY,
  metrics: { a: { at: NEWEST_AT, value: 0.1 + 0.2 }, old: { at: DAY + MINUTE_MS, value: 5 } },
};

it("[Q23] where an imported device's readings lie, and the newest of each metric, comes from D1", async () => {
  expect(await extentOf("extent", "d1")).toEqual(EXTENT);
});

it("[Q23] and from the archive's hourly files once D1 has given them up", async () => {
  expect(await extentOf("retained", "d1")).toEqual(EXTENT);
  expect(await extentOf("retained", "m"), "a device between others of the files").toEqual({
    device: "m",
    fromMs: null,
    metrics: {},
  });
});

it("[Q23] what the device reported itself counts too; of a metric the newest", async () => {
  await importBlocks("extent", "d2", [DAY, { a: [[DAY, 1]], b: [[DAY, 2]] }]);
  const at = DAY + 400 * DAY_MS;
  await env.DEVICE.getByName("extent/d2").report(packed([at, { a: 9, c: -0.5 }]), at);
  expect(await extentOf("extent", "d2")).toEqual({
    device: "d2",
    fromMs: DAY,
    metrics: { a: { at, value: 9 }, b: { at: DAY, value: 2 }, c: { at, value: -0.5 } },
  });
});

it("[Q23] latest of a device that is registered and never reported is empty, and of one nobody knows 404", async () => {
  expect(await answerOf<LatestAnswer>(ask("extent", "viewer", "/v1/devices/d1/latest"))).toMatchObject({
    device: "d1",
    zone: "default",
    connected: false,
    lastReceivedAt: null,
    metrics: {},
  });
  for (const route of ["latest", "extent"]) {
    await problem(ask("extent", "viewer", `/v1/devices/nobody/${route}`), 404, "device_not_found");
    await problem(ask("stranger", "viewer", `/v1/devices/d1/${route}`), 404, "device_not_found");
  }
});

it("[Q25] a list says of each device when its newest reading is from, if it is asked", async () => {
  expect((await listOf("extent", "limit=1"))[0]).not.toHaveProperty("newestAt");
  for (const tenant of ["extent", "retained"]) {
    const newest = Object.fromEntries(
      (await listOf(tenant, "newest=true")).map(({ device, newestAt }) => [device, newestAt]),
    );
    expect(newest).toMatchObject({ d1: NEWEST_AT, z: NEWEST_AT, m: null });
  }
  const at = DAY + 5 * DAY_MS;
  const reporter = env.DEVICE.getByName("extent/reporter");
  await reporter.report(packed([at, { a: 1 }]), at);
  await vi.waitFor(async () =>
    expect((await listOf("extent", "search=reporter&newest=true"))[0]).toMatchObject({ newestAt: at }),
  );
});

it("[Q24] devices are found by a part of their id or name, whatever the case, and any other character as it is", async () => {
  const put = (device: string, name: string | null) =>
    ask("search", "operator", `/v1/devices/${device}`, { method: "PUT", body: { name } });
  await put("plant-007", "Plant pump 7 (cooling)");
  await put("PLANT-008", "Düse 100 %");
  await put("tank_1", null);
  const found = async (text: string) =>
    (await listOf("search", `search=${encodeURIComponent(text)}`)).map(({ device }) => device);
  expect(await found("pump 7")).toEqual(["plant-007"]);
  expect(await found("plant")).toEqual(["PLANT-008", "plant-007"]);
  expect(await found("ANT-008")).toEqual(["PLANT-008"]);
  expect(await found("Düse")).toEqual(["PLANT-008"]);
  expect(await found("%")).toEqual(["PLANT-008"]);
  expect(await found("_")).toEqual(["tank_1"]);
  expect(await found("\\")).toEqual([]);
  expect(await found("n".repeat(200))).toEqual([]);
  expect((await listOf("search", "search=plant&limit=1")).map(({ device }) => device)).toEqual(["PLANT-008"]);
  await problem(ask("search", "viewer", `/v1/devices?search=${"n".repeat(201)}`), 400, "invalid_query");
});
