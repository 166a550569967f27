import { env, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { NoticeMessage } from "../../../schemas/alert.ts";
import { LIMITS_ZONE } from "../../../schemas/limits.ts";
import type { TenantUse } from "../../../schemas/message.ts";
import {
  admitDevice,
  changeSettings,
  leaseReadings,
  readUse,
  releaseDevice,
  tellStored,
  tellUse,
  warningsOf,
} from "../../tenant.ts";
import { register } from "../zone/zone-test-support.ts";

/** So far ahead that no alarm rings by itself: the platform's clock is the real one. */
const T0 = Date.UTC(2100, 0, 1);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const stubOf = (tenant: string) => env.TENANT.get(env.TENANT.idFromName(`tenant/${tenant}`));

/** What one tenant's object sends to the queue, which refuses while it is told to. */
class Told {
  readonly tenant: string;
  readonly notices: NoticeMessage[] = [];
  refusing = false;

  private constructor(tenant: string) {
    this.tenant = tenant;
  }

  static async of(tenant: string, limits: object): Promise<Told> {
    await changeSettings(env.TENANT, tenant, { limits });
    const told = new Told(tenant);
    await told.listen();
    return told;
  }

  /** From now on, until the object is evicted. */
  async listen(): Promise<void> {
    await runInDurableObject(stubOf(this.tenant), (_, state) => {
      const { NOTICES } = (state as unknown as { env: { NOTICES: Queue<NoticeMessage> } }).env;
      vi.spyOn(NOTICES, "sendBatch").mockImplementation(async (batch) => {
        if (this.refusing) throw new Error("the queue is away");
        for (const { body } of batch) this.notices.push(body);
        return undefined as unknown as QueueSendBatchResponse;
      });
    });
  }

  get keys(): string[] {
    return this.notices.map(({ key }) => key);
  }

  get kinds(): string {
    return this.notices.map(({ kind }) => kind).join();
  }

  /** Confirms all that was sent, as the consumer does. */
  async confirm(deferUntilMs: number | null = null): Promise<void> {
    await warningsOf(env.TENANT, this.tenant).told(this.keys.map((key) => ({ key, deferUntilMs })));
  }

  /** Lets the clock go on, and the alarm ring. */
  async later(ms: number): Promise<void> {
    vi.setSystemTime(Date.now() + ms);
    await runDurableObjectAlarm(stubOf(this.tenant));
  }

  alarmAt(): Promise<number | null> {
    return runInDurableObject(stubOf(this.tenant), (_, { storage }) => storage.getAlarm());
  }

  used(): Promise<TenantUse> {
    return readUse(env.TENANT, this.tenant);
  }
}

const forget = (tenant: string, device: string) =>
  env.CONTROL.prepare("DELETE FROM device WHERE tenant = ? AND device = ?").bind(tenant, device).run();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it("[A78] [F49] the eighth of ten devices is told once, and that there is room again within seconds of a deletion", async () => {
  const told = await Told.of("eight", { devices: 10 });
  await register("eight", ..."abcdef");
  for (const device of ["x", "y", "z"]) await admitDevice(env.TENANT, "eight", device);
  expect(told.notices).toEqual([
    {
      ...{ version: 1, type: "notice", tenant: "eight", zone: LIMITS_ZONE, kind: "fire", channels: null },
      ...{ key: `~limits.devices-${T0}.fire.1`, incident: `~limits.devices-${T0}` },
    },
  ]);
  await told.confirm();
  await register("eight", ..."abcdefxyz"); // and reported
  await forget("eight", "z-d");
  await releaseDevice(env.TENANT, "eight", "z-d");
  await told.later(5_000);
  expect(told.kinds).toBe("fire");
  const { results } = await env.CONTROL.prepare("SELECT device FROM device WHERE tenant = 'eight'").all<{
    device: string;
  }>();
  for (const { device } of results.slice(7)) {
    await forget("eight", device);
    await releaseDevice(env.TENANT, "eight", device);
  }
  for (const device of ["x", "y", "z"]) await releaseDevice(env.TENANT, "eight", device);
  await told.later(5_000);
  expect(told.kinds).toBe("fire,resolve");
  expect(await told.used()).toMatchObject({ warned: [] });
});

it("[A80] a queue that refuses is tried again until it takes the warning, and that until it is confirmed, over an eviction", async () => {
  const told = await Told.of("outbox", { viewers: 10 });
  await told.later(5_000); // what the change of the limit led to
  told.refusing = true;
  await tellUse(env.TENANT, "outbox", "viewers", { used: 9, isRefused: false, most: 10 });
  await vi.waitFor(async () => expect(await told.alarmAt()).toBe(T0 + 35_000));
  await evictDurableObject(stubOf("outbox"));
  await told.listen();
  expect(told.notices).toEqual([]);
  told.refusing = false;
  // Nobody views any more, so both are told: in their order, and again until they are confirmed.
  await told.later(30_000);
  await vi.waitFor(() => expect(new Set(told.keys).size).toBe(2));
  expect([...new Set(told.notices.map(({ kind }) => kind))]).toEqual(["fire", "resolve"]);
  const sentCount = told.notices.length;
  await told.later(30_000);
  expect(new Set(told.keys).size).toBe(2);
  expect(told.notices.length).toBeGreaterThan(sentCount);
  await told.confirm();
  const confirmedCount = told.notices.length;
  await told.later(HOUR_MS);
  expect(told.notices).toHaveLength(confirmedCount);
  expect(await told.alarmAt()).toBeNull();
});

it("[A79] a warning that was held back is sent again at its time, and none follows within six hours", async () => {
  const told = await Told.of("storage", { storageBytes: 100 });
  const store = (bytes: number) => tellStored(env.TENANT, "storage", bytes);
  await store(79);
  expect(told.notices).toEqual([]);
  await store(80);
  await vi.waitFor(() => expect(told.kinds).toBe("fire"));
  await told.confirm(T0 + 15 * MINUTE_MS);
  await told.later(15 * MINUTE_MS);
  expect(told.kinds).toBe("fire,fire");
  expect(new Set(told.keys).size).toBe(1);
  await told.confirm();
  await store(74);
  await vi.waitFor(() => expect(told.kinds).toBe("fire,fire,resolve"));
  await told.confirm();
  await store(101);
  await evictDurableObject(stubOf("storage"));
  await told.listen();
  await store(101);
  expect(told.kinds).toBe("fire,fire,resolve");
  vi.setSystemTime(T0 + 6 * HOUR_MS);
  await store(101);
  await vi.waitFor(() => expect(told.kinds).toBe("fire,fire,resolve,fire"));
});

it("[A78] [F48] readings a second warn after a minute of them or at the first refusal, and are over when nobody sends", async () => {
  const told = await Told.of("readings", { readingsPerSecond: 10 });
  const lease = (readings: number, refused = 0) => leaseReadings(env.TENANT, "readings", readings, refused);
  await lease(100);
  expect(told.notices).toEqual([]);
  await lease(1, 5);
  await vi.waitFor(() => expect(told.kinds).toBe("fire"));
  expect(await told.used()).toMatchObject({ warned: ["readingsPerSecond"], refusing: ["readingsPerSecond"] });
  await told.confirm();
  await told.later(MINUTE_MS); // of which something was refused
  expect(told.kinds).toBe("fire");
  await told.later(MINUTE_MS);
  expect(told.kinds).toBe("fire,resolve");
  await told.confirm();
  vi.setSystemTime(T0 + 7 * HOUR_MS);
  await lease(1);
  for (let second = 0; second < 60; second++) {
    vi.setSystemTime(Date.now() + 1_000);
    await lease(8);
  }
  await vi.waitFor(() => expect(told.kinds).toBe("fire,resolve,fire"));
  expect((await told.used()).readingsPerSecond).toBeGreaterThanOrEqual(8);
  await told.confirm();
  await evictDurableObject(stubOf("readings"));
  await told.listen();
  await told.later(MINUTE_MS);
  expect(told.kinds).toBe("fire,resolve,fire,resolve");
});

it("[A78] a limit that is raised, or taken away, ends its warning within seconds", async () => {
  const told = await Told.of("raised", { devices: 2, viewers: 2 });
  await tellUse(env.TENANT, "raised", "devices", { used: 2, isRefused: true, most: 2 });
  await tellUse(env.TENANT, "raised", "viewers", { used: 2, isRefused: true, most: 2 });
  await vi.waitFor(() => expect(told.kinds).toBe("fire,fire"));
  await changeSettings(env.TENANT, "raised", { limits: { devices: 100, viewers: null } });
  await told.later(5_000);
  await vi.waitFor(() => expect(told.notices.filter(({ kind }) => kind === "resolve")).toHaveLength(2));
});

it("[A80] what a receiver refuses is noted in the warning, and one that is not known is nobody's", async () => {
  const told = await Told.of("refusing", { viewers: 10 });
  await tellUse(env.TENANT, "refusing", "viewers", { used: 10, isRefused: false, most: 10 });
  await vi.waitFor(() => expect(told.kinds).toBe("fire"));
  const { incident, key } = told.notices[0]!;
  const refusal = {
    key,
    kind: "fire",
    channel: "ops",
    at: T0,
    error: "answered 404",
    instead: null,
  } as const;
  const warnings = warningsOf(env.TENANT, "refusing");
  expect((await warnings.refused(incident, refusal))?.incident.refusals).toEqual([refusal]);
  expect((await warnings.incident(incident))?.alerts[0]).toMatchObject({
    device: "refusing",
    limit: { name: "viewers", used: 10, most: 10 },
  });
  expect(await warnings.refused("~limits.viewers-1", refusal)).toBeNull();
  expect(await warnings.incident("~limits.viewers-1")).toBeNull();
});

it("[F49] without a crossing nothing is written and no alarm set", async () => {
  const told = await Told.of("calm", { readingsPerSecond: 10, storageBytes: 100 });
  await leaseReadings(env.TENANT, "calm", 100, 0);
  await tellStored(env.TENANT, "calm", 10);
  await tellUse(env.TENANT, "calm", "devices", { used: 1, isRefused: false, most: 10 });
  expect(await told.alarmAt()).toBeNull();
  expect(told.notices).toEqual([]);
});
