import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { type SnapshotFrame, updateFrame } from "../../../schemas/live.ts";
import { latestAnswer } from "../../../schemas/query.ts";
import { changeSettings } from "../../tenant.ts";
import { HOUR_MS, held, packed, packedAt, rowsOnceKnown, rowsWritten, T0 } from "../../test-support.ts";
import { TenantObject } from "../tenant/tenant-object.ts";
import { ZoneObject } from "../zone/zone-object.ts";
import { isSnapshot, isUpdate, join, watch } from "../zone/zone-test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

const DAY_MS = 24 * HOUR_MS;

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

it("[D1] a commit writes exactly one row", async () => {
  const device = env.DEVICE.getByName("acme/one-row");
  await device.report(packed([T0, { temperature: 20 }]), T0);
  const before = await rowsOnceKnown(device);
  for (let i = 1; i <= 10; i++)
    await device.report(packed([T0 + i * 1000, { temperature: 20 + i, humidity: i }]), T0 + i * 1000);
  expect((await rowsWritten(device)) - before).toBe(10);
});

it("[D1] a block sealed with a commit is one row more, also when it is sealed again", async () => {
  const device = env.DEVICE.getByName("acme/one-row-more");
  const report = async (at: number, receivedAt: number) => {
    const before = await rowsWritten(device);
    await device.report(packedAt(receivedAt, [at, { a: at }]), receivedAt);
    return (await rowsWritten(device)) - before;
  };
  await report(T0, T0);
  await rowsOnceKnown(device);
  expect(await report(T0 + HOUR_MS + 30 * 60_000, T0 + HOUR_MS + 30 * 60_000)).toBe(2); // the first hour is due
  expect(await report(T0 + 5000, T0 + HOUR_MS + 31 * 60_000)).toBe(1); // late: opens it again
  expect(await report(T0 + HOUR_MS + 45 * 60_000, T0 + HOUR_MS + 45 * 60_000)).toBe(2); // and it is due again
  const rows = await runInDurableObject(device, (_, state) =>
    state.storage.sql.exec("SELECT revision FROM ring").toArray(),
  );
  expect(rows).toEqual([{ revision: 2 }]);
});

it("[D2] a duplicate, a correction, and both survive an eviction", async () => {
  const device = env.DEVICE.getByName("acme/twice");
  expect((await device.report(packed([T0, { a: 1, b: 2 }]), T0)).counts).toEqual([2, 0, 0, 0, 0, 0]);
  await evictDurableObject(device);
  expect((await device.report(packed([T0, { a: 1, b: 3 }]), T0 + 5)).counts).toEqual([0, 1, 1, 0, 0, 0]);
  await evictDurableObject(device);
  expect(await device.latest()).toMatchObject({ metrics: { a: { value: 1 }, b: { value: 3 } } });
});

it("[D3] a reading older than the tenant's horizon is too_old, the horizon named; one at the horizon is taken", async () => {
  await changeSettings(env.TENANT, "horizon", { latenessHorizonMs: DAY_MS });
  const device = env.DEVICE.getByName("horizon/old");
  const verdicts = await device.report(
    packedAt(T0, [T0 - DAY_MS - 1, { a: 1, b: 2 }], [T0 - DAY_MS, { a: 3 }]),
    T0,
  );
  expect(verdicts.counts).toEqual([1, 0, 0, 0, 0, 2]);
  expect(verdicts.problems).toEqual([
    { index: 0, code: "too_old", message: expect.stringContaining("lateness horizon (1 days)") },
  ]);
  expect(verdicts.problems[0]!.message).toContain(new Date(T0 - DAY_MS).toISOString());
});

it("[D4] twenty requests that come together share commits, and each gets its own verdicts", async () => {
  const device = env.DEVICE.getByName("acme/together");
  await device.report(packed([T0, { a: 0 }]), T0);
  const before = await rowsOnceKnown(device);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => {
      const at = T0 + (i + 1) * 1000;
      if (i % 4 === 3) return device.report(packed([T0, { a: 0 }]), at); // a duplicate
      if (i % 4 === 2) return device.report(packedAt(at, [at, { a: i }], [T0 - 30 * DAY_MS, { a: i }]), at); // one of two too old
      return device.report(packed([at, { a: i, b: -i }]), at);
    }),
  );
  for (const [i, { counts, problems }] of answers.entries()) {
    if (i % 4 === 3) expect(counts).toEqual([0, 1, 0, 0, 0, 0]);
    else if (i % 4 === 2)
      expect({ counts, problems }).toMatchObject({ counts: [1, 0, 0, 0, 0, 1], problems: [{ index: 1 }] });
    else expect(counts).toEqual([2, 0, 0, 0, 0, 0]);
  }
  expect((await rowsWritten(device)) - before).toBeLessThan(20);
  expect(await held(device, "a")).toHaveLength(16);
});

it("[D4] what was acknowledged survives a crash; what was not may be lost, and comes back when sent again", async () => {
  const device = () => env.DEVICE.getByName("acme/crash");
  const acknowledged = new Set<number>();
  for (let round = 0; round < 8; round++) {
    const instants = Array.from({ length: 5 }, (_, i) => T0 + round * 60_000 + i * 1000);
    const settled = Promise.allSettled(
      instants.map((at) =>
        device()
          .report(packed([at, { a: at }]), at)
          .then(() => acknowledged.add(at)),
      ),
    );
    // A write that is not synced, and the machine is gone: the storage goes back to what was durable.
    await runInDurableObject(device(), (_, state) => {
      state.storage.sql.exec("CREATE TABLE IF NOT EXISTS unsynced (id INTEGER PRIMARY KEY)");
      state.abort("crash");
    }).catch(() => undefined);
    await settled;
    const found = new Set((await held(device(), "a")).map(([at]) => at));
    for (const at of acknowledged) expect(found).toContain(at);
    for (const at of instants) await device().report(packed([at, { a: at }]), at);
  }
  expect((await held(device(), "a")).map(([at]) => at)).toEqual(
    Array.from({ length: 40 }, (_, i) => T0 + Math.floor(i / 5) * 60_000 + (i % 5) * 1000),
  );
});

it("[D15] latest is by the device's clock, across evictions", async () => {
  const device = env.DEVICE.getByName("acme/latest");
  await device.report(packed([T0 + 5000, { a: 5 }]), T0 + 5000);
  await evictDurableObject(device);
  await device.report(packed([T0 + 1000, { a: 1, b: 1 }]), T0 + 6000);
  expect(await device.latest()).toMatchObject({
    lastReceivedAt: expect.any(Number),
    metrics: { a: { at: T0 + 5000, value: 5 }, b: { at: T0 + 1000, value: 1 } },
  });
});

it("[D23] a reading of a wrong clock is flagged in latest, at a glance and in an update, and counted", async () => {
  const device = await join("clocks", "wrong");
  const viewer = await watch("clocks");
  const snapshot = (await viewer.until(isSnapshot)) as SnapshotFrame;
  expect(snapshot.devices[0]!.metrics.a).not.toHaveProperty("clock");
  const [ahead, behind] = [T0 + 5 * 60_000, T0 - 5 * 60_000 - 1];
  await device.report(packedAt(T0, [ahead, { a: 1 }], [behind, { b: 2, c: 3 }]), T0);
  const metrics = {
    a: { at: ahead, value: 1, receivedAt: T0, clock: "ahead" },
    b: { at: behind, value: 2, receivedAt: T0, clock: "behind" },
    c: { at: behind, value: 3, receivedAt: T0, clock: "behind" },
  };
  const update = await viewer.until(isUpdate);
  expect(updateFrame.parse(update)).toMatchObject({ metrics });
  await evictDurableObject(device);
  expect(latestAnswer.parse(await device.latest())).toMatchObject({
    metrics,
    clock: { behind: 2, ahead: 1 },
  });
  expect(await device.watch(0)).toMatchObject({ metrics });
  viewer.close();
});

it("[D17] an object that was merely asked has no tables and no alarm", async () => {
  const device = env.DEVICE.getByName("acme/asked");
  expect(await device.latest()).toBeNull();
  expect(await device.readings("a", 0, T0)).toBeNull();
  expect(await device.watch(Date.now() + HOUR_MS)).toBeNull();
  expect(await device.seal()).toEqual({ sealed: 0, pending: 0 });
  await device.confirm([{ startMs: T0, revision: 1 }]);
  await runInDurableObject(device, async (_, state) => {
    const tables = state.storage.sql
      .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
      .toArray();
    expect(tables.map(({ name }) => name).filter((name) => !name.startsWith("_"))).toEqual([]);
    expect(await state.storage.getAlarm()).toBeNull();
  });
});

it("[D19] [D35] the first report registers the device, once, however often its object sleeps", async () => {
  const device = env.DEVICE.getByName("registry/first");
  await device.report(packed([T0, { a: 1 }]), T0);
  const row = () =>
    env.CONTROL.prepare("SELECT * FROM device WHERE tenant = 'registry' AND device = 'first'").first();
  await vi.waitFor(async () => expect(await row()).toMatchObject({ zone: "default", first_seen_at: T0 }));
  await rowsOnceKnown(device);
  const told = vi.spyOn(ZoneObject.prototype, "presence");
  for (let i = 1; i <= 3; i++) {
    await evictDurableObject(device);
    await device.report(packed([T0 + i * 1000, { a: 2 }]), T0 + i * 1000);
    expect(await rowsWritten(device)).toBe(1);
  }
  expect(await row()).toMatchObject({ first_seen_at: T0, created_at: T0 });
  expect(told).not.toHaveBeenCalled();
});

it("[D19] what an operator says reaches the object at once and survives it", async () => {
  const device = env.DEVICE.getByName("registry/told");
  await device.report(packed([T0, { a: 1 }]), T0);
  await device.setProfile({ zone: "roof", name: "The one on the roof", model: "T-1" });
  await evictDurableObject(device);
  expect(await device.latest()).toMatchObject({ zone: "roof" });
  expect(await device.watch(0)).toMatchObject({ zone: "roof", name: "The one on the roof", model: "T-1" });
});

it("[D20] the tenant is asked at the first report, when the registry has the device, and hourly: not with each report", async () => {
  const asked = vi.spyOn(TenantObject.prototype, "settings");
  const device = env.DEVICE.getByName("hourly/copy");
  await device.report(packed([T0, { a: 1 }]), T0);
  await rowsOnceKnown(device);
  expect(asked).toHaveBeenCalledTimes(2);
  for (let i = 1; i <= 10; i++) await device.report(packed([T0 + i * 60_000, { a: i }]), T0 + i * 60_000);
  expect(asked).toHaveBeenCalledTimes(2);
  await changeSettings(env.TENANT, "hourly", { latenessHorizonMs: HOUR_MS });
  asked.mockClear();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + HOUR_MS + 60_000 });
  const later = T0 + HOUR_MS + 60_000;
  await device.report(packed([later, { a: 1 }]), later);
  await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(1));
  const refused = await device.report(packedAt(later, [later - HOUR_MS - 1, { a: 1 }]), later);
  expect(refused.counts).toEqual([0, 0, 0, 0, 0, 1]);
});

it("[D20] a tenant's object that is away costs no report", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  vi.spyOn(TenantObject.prototype, "settings").mockImplementation(() => {
    throw new Error("away");
  });
  const device = env.DEVICE.getByName("away/copy");
  expect((await device.report(packed([T0, { a: 1 }]), T0)).counts).toEqual([1, 0, 0, 0, 0, 0]);
});
