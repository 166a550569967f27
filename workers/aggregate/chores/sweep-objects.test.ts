import { env, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { HOUR_MS, KeptQueue, packed, T0 } from "../../test-support.ts";
import { EACH_HOUR, EACH_MINUTE, PROMPT } from "../crons.ts";
import type { DeviceObject } from "../device/device-object.ts";
import type { AggregateEnv } from "../env.ts";
import worker from "../worker.ts";
import { sweepObjects } from "./sweep-objects.ts";

const aggregateEnv = env as unknown as AggregateEnv;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const until = () => Date.now() + 60_000;

/** Registers devices of a tenant; nothing of them reports. */
async function registered(tenant: string, devices: string[]): Promise<void> {
  await env.CONTROL.prepare(
    "INSERT INTO device (tenant, device, zone, created_at) SELECT ?1, value, 'default', 0 FROM json_each(?2)",
  )
    .bind(tenant, JSON.stringify(devices))
    .run();
}

/** An env whose objects only note their names; `fails` throw. */
function noting(fails: string[] = []) {
  const swept: string[] = [];
  let atOnce = 0;
  let most = 0;
  const getByName = (name: string) => ({
    async sweep() {
      swept.push(name);
      most = Math.max(most, ++atOnce);
      await Promise.resolve();
      atOnce -= 1;
      if (fails.includes(name)) throw new Error("the object is away");
      return { acted: false, expired: 3 };
    },
  });
  const noted = { ...aggregateEnv, DEVICE: { getByName } } as unknown as AggregateEnv;
  return { env: noted, swept, most: () => most };
}

it("[X4] [D25] a block whose alarm was lost is found by the sweep and reaches the queue", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
  const device = env.DEVICE.getByName("swept/d1");
  const queue = await new KeptQueue().into(device);
  await device.report(packed([T0, { a: 1 }]), T0);
  await vi.waitFor(async () => {
    const known = await env.CONTROL.prepare("SELECT 1 FROM device WHERE tenant = 'swept'").first();
    expect(known).not.toBeNull();
  });
  await runInDurableObject<DeviceObject, void>(device, (_, state) => state.storage.deleteAlarm());
  vi.setSystemTime(T0 + 7 * HOUR_MS);
  expect(queue.sent).toEqual([]);
  await sweepObjects({ env: { ...aggregateEnv, CHORES: "always" }, cursor: "", untilMs: until() });
  expect(queue.sent).toMatchObject([{ tenant: "swept", device: "d1", revision: 1 }]);
});

it("[X4] each tick sweeps a page and the ticks of a round sweep every device of every tenant once, 50 at once", async () => {
  await registered(
    "round-a",
    Array.from({ length: 70 }, (_, i) => `d${i}`),
  );
  await registered(
    "round-b",
    Array.from({ length: 65 }, (_, i) => `d${i}`),
  );
  const { env: noted, swept, most } = noting();
  const pages: number[] = [];
  for (let cursor = "start"; cursor !== ""; pages.push(swept.length)) {
    cursor = await sweepObjects({ env: noted, cursor: cursor === "start" ? "" : cursor, untilMs: until() });
  }
  const { results } = await env.CONTROL.prepare("SELECT tenant, device FROM device").all<{
    tenant: string;
    device: string;
  }>();
  expect(swept.toSorted()).toEqual(results.map(({ tenant, device }) => `${tenant}/${device}`).toSorted());
  expect(pages.slice(0, 2)).toEqual([50, 100]);
  expect(most()).toBe(50);
});

it("[X4] a turn whose time is up goes on after the last device swept; where tests ask for it a tick is a whole round", async () => {
  await registered(
    "cut",
    Array.from({ length: 120 }, (_, i) => `d${i}`),
  );
  const { env: noted, swept } = noting();
  const hasty = { ...noted, CHORES: "always" };
  const cursor = await sweepObjects({ env: hasty, cursor: "", untilMs: 0 });
  const first = swept.length;
  expect([first, cursor.endsWith(swept.at(-1)!)]).toEqual([50, true]);
  expect(await sweepObjects({ env: hasty, cursor, untilMs: until() })).toBe("");
  expect(new Set(swept).size).toBe(swept.length);
  expect(swept.filter((name) => name.startsWith("cut/"))).toHaveLength(120);
});

it("[D27] in a local run a tick sweeps a page at most, and the ticks between sweep nothing", async () => {
  await registered(
    "laptop",
    Array.from({ length: 320 }, (_, i) => `d${i}`),
  );
  const { env: noted, swept } = noting();
  const local = { ...noted, CHORES: "prompt" };
  const tick = (cron: string) => worker.scheduled({ cron } as ScheduledController, local);
  for (let second = 0; second < 5; second++) await tick(PROMPT);
  expect(swept).toEqual([]);
  await tick(EACH_MINUTE);
  expect(swept).toHaveLength(50);
  await tick(PROMPT);
  await tick(EACH_HOUR);
  expect(swept).toHaveLength(50);
  await tick(EACH_MINUTE);
  expect(swept).toHaveLength(100);
});

it("[X4] an object that fails is logged and costs the others nothing", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  await registered("failing", ["d1", "d2", "d3"]);
  const { env: noted, swept } = noting(["failing/d2"]);
  await sweepObjects({ env: { ...noted, CHORES: "always" }, cursor: "", untilMs: until() });
  expect(swept.filter((name) => name.startsWith("failing/"))).toHaveLength(3);
  expect(logged).toHaveBeenCalledOnce();
});

it("[D43] [S36] what objects give up for its age is counted, each tenant's apart", async () => {
  await registered("counted-a", ["d1", "d2"]);
  await registered("counted-b", ["d1"]);
  const { env: noted } = noting(["counted-a/d2"]);
  const all = { ...noted, CHORES: "always" };
  const counted = async () => {
    const { results } = await aggregateEnv.WARM_0.prepare(
      "SELECT tenant, raw_blocks_deleted AS blocks FROM retained WHERE tenant LIKE 'counted-%' ORDER BY tenant",
    ).all();
    return results;
  };
  await sweepObjects({ env: all, cursor: "", untilMs: until() });
  expect(await counted()).toEqual([
    { tenant: "counted-a", blocks: 3 },
    { tenant: "counted-b", blocks: 3 },
  ]);
  await sweepObjects({ env: all, cursor: "", untilMs: until() });
  expect(await counted()).toMatchObject([{ blocks: 6 }, { blocks: 6 }]);
});
