import { createExecutionContext, env } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { decodeBlock } from "../../core/block/decode.ts";
import { fleetPointOf } from "../../core/history/point.ts";
import { summarise } from "../../core/window/summary.ts";
import type { FleetHistoryAnswer, FleetPoint } from "../../schemas/query.ts";
import { computeZoneHours } from "../aggregate/chores/compute-zone-hours.ts";
import type { AggregateEnv } from "../aggregate/env.ts";
import { storeBlocks } from "../aggregate/queues/store-blocks.ts";
import { bearer, blockMessageOf, HOUR_MS, packed, problem, T0 } from "../test-support.ts";
import { answerOf, apiEnv, ask } from "./api-test-support.ts";
import type { ApiEnv } from "./env.ts";
import { api } from "./worker.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const MINUTE_MS = 60_000;
const DAY_MS = 24 * HOUR_MS;
const DAY = T0 - (T0 % DAY_MS) - 3 * DAY_MS;
const DEVICES = ["d1", "d2", "d3", "d4", "d5"];
const zoneOf = (device: string) => (device < "d3" ? "north" : "south");

/** What a device reported in an hour of the first two days; d5 is silent in the second. */
const valuesOf = (device: string, hour: number) =>
  device === "d5" && hour >= 24
    ? []
    : Array.from({ length: 3 }, (_, i) => Number(device[1]) * 10 + hour + i / 4);

async function store(device: string, hour: number, values = valuesOf(device, hour), revision = 1) {
  if (values.length === 0) return;
  const startMs = DAY + hour * HOUR_MS;
  const a = values.map((value, i): [number, number] => [startMs + i * MINUTE_MS, value]);
  const message = {
    ...blockMessageOf("fleet", device, startMs, { a, 'o"d.d': a }, revision),
    zone: zoneOf(device),
  };
  await storeBlocks(env.WARM_0, env.COLD, [{ ...message, block: decodeBlock(message.block) }]);
}

const compute = () =>
  computeZoneHours({ env: env as unknown as AggregateEnv, cursor: "", untilMs: Number.POSITIVE_INFINITY });

const HOURS = Array.from({ length: 48 }, (_, hour) => hour);
beforeAll(async () => {
  for (const hour of HOURS) for (const device of DEVICES) await store(device, hour);
  await compute();
  for (const device of DEVICES)
    await ask("fleet", "operator", `/v1/devices/${device}`, {
      method: "PUT",
      body: { zone: zoneOf(device) },
    });
});

const clock = { headers: { "telltale-clock": String(T0) } };
const asked = (path: string, query: string, tenant = "fleet") =>
  ask(tenant, "viewer", `${path}/history?${query}`, clock);
const answered = (path: string, query: string) => answerOf<FleetHistoryAnswer>(asked(path, query));
const range = (fromMs: number, toMs: number) => `metric=a&from=${fromMs}&to=${toMs}`;

/** The window of these devices' hours, as it is to be answered. */
function expectedPoint(devices: string[], hours: number[], count: number): FleetPoint {
  const values = hours.flatMap((hour) => devices.flatMap((device) => valuesOf(device, hour)));
  const at = values.map((_, i) => i);
  const startMs = DAY + hours[0]! * HOUR_MS;
  const window = { startMs, endMs: startMs + hours.length * HOUR_MS, summary: summarise(at, values) };
  const figures = fleetPointOf(window, count);
  const close = (name: "mean" | "sum" | "stddev") => ({ [name]: expect.closeTo(figures[name], 9) });
  return { ...figures, ...close("mean"), ...close("sum"), ...close("stddev") } as FleetPoint;
}

describe("from the hours computed before", () => {
  it("[Q14] [S12] the fleet hour by hour, with all its figures", async () => {
    const answer = await answered("/v1/fleet", range(DAY, DAY + 48 * HOUR_MS));
    expect(answer).toMatchObject({
      zone: null,
      metric: "a",
      source: "warm",
      resolution: "1h",
      segments: [{ source: "warm", startMs: DAY, endMs: DAY + 48 * HOUR_MS }],
      settledToMs: DAY + 48 * HOUR_MS,
      dirtyHours: 0,
      partial: false,
      missing: [],
    });
    expect(answer.points).toEqual(HOURS.map((hour) => expectedPoint(DEVICES, [hour], hour < 24 ? 5 : 4)));
  });

  it("[Q14] a zone, and a day of it", async () => {
    const south = DEVICES.filter((device) => zoneOf(device) === "south");
    const hourly = await answered("/v1/zones/south", range(DAY + 30 * HOUR_MS, DAY + 31 * HOUR_MS + 1));
    expect(hourly.points).toEqual([30, 31].map((hour) => expectedPoint(south, [hour], 2)));
    const daily = await answered("/v1/zones/south", `${range(DAY, DAY + 2 * DAY_MS)}&resolution=1d`);
    expect(daily.points).toEqual([
      expectedPoint(south, HOURS.slice(0, 24), 3),
      expectedPoint(south, HOURS.slice(24), 2),
    ]);
  });

  it("[Q14] a metric of any name, and one that nobody has", async () => {
    const odd = `metric=${encodeURIComponent('o"d.d')}&from=${DAY}&to=${DAY + HOUR_MS}`;
    expect((await answered("/v1/fleet", odd)).points).toHaveLength(1);
    expect((await answered("/v1/fleet", odd.replace("o%22d.d", "toString"))).points).toEqual([]);
    const nowhere = await answered("/v1/zones/nowhere", range(DAY, DAY + HOUR_MS));
    expect(nowhere).toMatchObject({ points: [], hoursFromMs: null });
    expect(await answered("/v1/fleet", range(DAY - DAY_MS, DAY + HOUR_MS))).toMatchObject({
      hoursFromMs: DAY,
    });
  });

  it("[W11] a device of 1,000 metrics named to sort first leaves those of others, and the answer says how many are left out", async () => {
    const startMs = DAY + HOUR_MS;
    const flood = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, i) => [`!${i}`, [[startMs, 1]] as [number, number][]]),
    );
    for (const [device, readings] of Object.entries({
      d0: flood,
      d1: { a: [[startMs, 7]] as [number, number][] },
    })) {
      const message = { ...blockMessageOf("flood", device, startMs, readings), zone: "north" };
      await storeBlocks(env.WARM_0, env.COLD, [{ ...message, block: decodeBlock(message.block) }]);
    }
    await compute();
    for (const path of ["/v1/zones/north", "/v1/fleet"]) {
      const answer = await answerOf<FleetHistoryAnswer>(
        asked(path, range(startMs, startMs + HOUR_MS), "flood"),
      );
      expect(answer).toMatchObject({ points: [{ devices: 1, max: 7 }], metricsLeftOut: 1 });
    }
    expect((await answered("/v1/fleet", range(DAY, DAY + HOUR_MS))).metricsLeftOut).toBe(0);
  });

  it("[Q14] says how far it is settled: up to what may still be unsealed, and to what is being computed anew", async () => {
    const recent = await answered("/v1/fleet", range(T0 - DAY_MS, T0));
    // At ten the blocks of the six-hour bucket that ended at six have all been sealed.
    expect(recent.settledToMs).toBe(T0 - 4 * HOUR_MS);
    // A fast device's block of a later hour tells nothing of the slow devices' blocks, which are still open.
    await store("d1", (T0 - DAY) / HOUR_MS - 1, [3]);
    const fast = await answered("/v1/fleet", range(T0 - DAY_MS, T0));
    expect(fast).toMatchObject({ settledToMs: T0 - 4 * HOUR_MS, dirtyHours: 1 });
    await compute();
    await store("d1", 5, [1_000], 2);
    const dirty = await answered("/v1/fleet", range(DAY, DAY + DAY_MS));
    expect(dirty).toMatchObject({ settledToMs: DAY + 5 * HOUR_MS, dirtyHours: 1 });
    expect(dirty.points[5]!.max).toBeLessThan(1_000);
    expect(await answered("/v1/zones/south", range(DAY, DAY + DAY_MS))).toMatchObject({ dirtyHours: 0 });
    await compute();
    const anew = await answered("/v1/fleet", range(DAY, DAY + DAY_MS));
    expect(anew).toMatchObject({ settledToMs: DAY + DAY_MS, dirtyHours: 0 });
    expect(anew.points[5]).toMatchObject({ max: 1_000, count: 13 });
  });

  it("[Q6] [Q14] what cannot be answered is 400 and says what to ask instead", async () => {
    await problem(asked("/v1/fleet", range(DAY, DAY)), 400, "invalid_query");
    await problem(asked("/v1/fleet", `${range(DAY, T0)}&resolution=raw`), 400, "invalid_query");
    await problem(asked("/v1/zones/-odd-", range(DAY, T0)), 400, "invalid_query");
    await problem(asked("/v1/fleet", "from=0"), 400, "invalid_query");
    const long = await problem(asked("/v1/fleet", `metric=a&from=0&to=${T0}`), 400, "invalid_query");
    expect(long.detail).toContain("1d");
    const fine = await problem(asked("/v1/fleet", `${range(DAY, T0)}&resolution=1m`), 400, "invalid_query");
    expect(fine.detail).toContain("without live");
  });
});

describe("asked of the devices", () => {
  const from = T0 - 20 * MINUTE_MS;
  const minute = (at: number) => Math.floor((at - from) / MINUTE_MS);

  beforeAll(async () => {
    for (const [index, device] of DEVICES.entries()) {
      if (device === "d5") continue; // registered, and never reported
      const stub = env.DEVICE.getByName(`live/${device}`);
      const reports = Array.from({ length: 40 }, (_, i): [number, Record<string, number>] => [
        from + i * 30_000,
        { a: index * 100 + i },
      ]);
      await stub.report(packed(...reports), T0);
    }
    for (const device of DEVICES)
      await ask("live", "operator", `/v1/devices/${device}`, {
        method: "PUT",
        body: { zone: zoneOf(device) },
      });
  });
  const live = (path: string, query: string) => answerOf<FleetHistoryAnswer>(asked(path, query, "live"));

  it("[Q15] short windows are merged from all devices", async () => {
    const answer = await live("/v1/fleet", `${range(from, T0)}&resolution=1m`);
    expect(answer).toMatchObject({ source: "hot", settledToMs: null, partial: false, missing: [] });
    expect(answer.points.map(({ startMs }) => minute(startMs))).toEqual(
      Array.from({ length: 20 }, (_, i) => i),
    );
    for (const [i, point] of answer.points.entries()) {
      expect(point).toMatchObject({
        devices: 4,
        count: 8,
        min: 2 * i,
        max: 300 + 2 * i + 1,
        sum: 1_200 + 16 * i + 4,
      });
    }
  });

  it("[Q15] a zone's are those of its devices", async () => {
    const { points } = await live("/v1/zones/south", `${range(from, T0)}&resolution=5m`);
    expect(points.map(({ devices, count }) => [devices, count])).toEqual([
      [2, 20],
      [2, 20],
      [2, 20],
      [2, 20],
    ]);
  });

  it("[Q14] [Q15] live: hours and days get what is not stored yet", async () => {
    const query = range(T0 - DAY_MS, T0);
    expect((await live("/v1/fleet", query)).points).toEqual([]);
    const hourly = await live("/v1/fleet", `${query}&live=true`);
    expect(hourly.source).toBe("mixed");
    expect(hourly.segments.map(({ source, endMs }) => [source, endMs])).toEqual([
      ["warm", T0 - 4 * HOUR_MS],
      ["hot", T0],
    ]);
    expect(hourly.points).toMatchObject([{ startMs: T0 - HOUR_MS, devices: 4, count: 160 }]);
    const daily = await live("/v1/fleet", `${query}&live=true&resolution=1d`);
    expect(daily.points).toMatchObject([{ devices: 4, count: 160, max: 339 }]);
  });

  it("[Q15] who does not answer, or gave up a part of the range, is named and the rest is merged", async () => {
    const odd = {
      ...apiEnv,
      DEVICE: {
        getByName(name: string) {
          const stub = apiEnv.DEVICE.getByName(name);
          if (name.endsWith("d1")) return { readings: () => Promise.reject(new Error("overloaded")) };
          if (!name.endsWith("d3")) return stub;
          const nothing = {
            hotFromMs: from + 1,
            unsettledFromMs: from,
            untilMs: Number.MAX_SAFE_INTEGER,
            at: [],
            value: [],
          };
          return { readings: () => Promise.resolve(nothing) };
        },
      },
    } as unknown as ApiEnv;
    const headers = { ...(await bearer("live", "viewer")), ...clock.headers };
    const url = `https://telltale.test/v1/fleet/history?${range(from, T0)}&resolution=5m`;
    const response = await api.fetch(new Request(url, { headers }), odd, createExecutionContext());
    const answer = await answerOf<FleetHistoryAnswer>(response);
    expect(answer).toMatchObject({ partial: true, missing: ["d1", "d3"] });
    expect(answer.points.map(({ devices }) => devices)).toEqual([2, 2, 2, 2]);
  });

  it("[Q6] [Q15] a fleet of more than a thousand devices is not asked one by one", async () => {
    const names = JSON.stringify(Array.from({ length: 1_001 }, (_, i) => `d${i}`));
    await env.CONTROL.prepare(
      `INSERT INTO device (tenant, device, zone, created_at)
       SELECT 'large', value, CASE WHEN key < 3 THEN 'small' ELSE 'rest' END, 0 FROM json_each(?)`,
    )
      .bind(names)
      .run();
    const query = `${range(T0 - HOUR_MS, T0)}&resolution=1m`;
    const refused = await problem(asked("/v1/fleet", query, "large"), 400, "invalid_query");
    for (const remedy of ["1h", "zone by zone"]) expect(refused.detail).toContain(remedy);
    expect((await asked("/v1/zones/small", query, "large")).status).toBe(200);
  });
});
