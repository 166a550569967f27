// What others ask of a device's object: a sweep, its blocks again, a range given over to the archive.
import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { changeSettings } from "../../tenant.ts";
import {
  type DeviceStub,
  HOUR_MS,
  held,
  KeptQueue,
  many,
  packed,
  packedAt,
  rowsOnceKnown,
  rowsWritten,
  T0,
} from "../../test-support.ts";

vi.setConfig({ testTimeout: 60_000 });
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const MINUTE_MS = 60_000;
const DAY_MS = 24 * HOUR_MS;
/** Past every block's due time. */
const DUE_MS = HOUR_MS + 2 * MINUTE_MS;
const ALWAYS = Number.MAX_SAFE_INTEGER;

async function deviceWithQueue(name: string, more = {}): Promise<[DeviceStub, KeptQueue]> {
  const device = env.DEVICE.getByName(name);
  await device.report(packed([T0, { a: 1, ...more }]), T0);
  await rowsOnceKnown(device);
  return [device, await new KeptQueue().into(device)];
}

const alarmOf = (device: DeviceStub) => runInDurableObject(device, (_, { storage }) => storage.getAlarm());
const loseAlarm = (device: DeviceStub) =>
  runInDurableObject(device, (_, { storage }) => storage.deleteAlarm());
const slotsOf = (device: DeviceStub) =>
  runInDurableObject(device, (_, { storage }) => storage.sql.exec("SELECT slot FROM ring").toArray().length);
const tablesOf = (device: DeviceStub) =>
  runInDurableObject(device, (_, { storage }) =>
    storage.sql
      .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
      .toArray()
      .map(({ name }) => name)
      .filter((name) => !name.startsWith("_")),
  );
/** An error that crosses an RPC would also be told to the test's runner. */
const failureOf = (device: DeviceStub, beforeMs: number) =>
  runInDurableObject(device, (object) =>
    (object as unknown as DeviceStub).handOver(beforeMs).then(
      () => "no failure",
      (error: Error) => error.message,
    ),
  );
const later = (ms: number) => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });

it("[D25] [X4] an object whose alarm is lost: a sweep gets its block to storage, after an eviction too", async () => {
  const [device, queue] = await deviceWithQueue("sweep/lost");
  await loseAlarm(device);
  expect((await device.sweep()).acted).toBe(true); // nothing is due, but the alarm must be set
  expect(await alarmOf(device)).toBeGreaterThan(Date.now());
  expect((await device.sweep()).acted).toBe(false);
  await loseAlarm(device);
  await evictDurableObject(device);
  await queue.into(device);
  later(DUE_MS);
  expect((await device.sweep()).acted).toBe(true);
  expect(queue.sent).toMatchObject([{ startMs: T0, revision: 1 }]);
  expect(await alarmOf(device)).toBeGreaterThan(Date.now()); // for the outbox
  expect((await device.sweep()).acted).toBe(false);
});

it("[D25] a sweep sends again what is overdue in the outbox, and sets an alarm that is past", async () => {
  const [device, queue] = await deviceWithQueue("sweep/unconfirmed");
  await device.seal();
  expect(queue.sent).toHaveLength(1);
  expect((await device.sweep()).acted).toBe(false);
  later(2 * MINUTE_MS);
  expect((await device.sweep()).acted).toBe(true);
  expect(queue.sent).toHaveLength(2);
  await device.confirm([{ startMs: T0, revision: 1 }]);
  expect((await device.sweep()).acted).toBe(false);
});

it("[D25] [D17] a sweep of an object that was never used leaves no trace", async () => {
  const device = env.DEVICE.getByName("sweep/never");
  expect((await device.sweep()).acted).toBe(false);
  expect(await tablesOf(device)).toEqual([]);
  expect(await alarmOf(device)).toBeNull();
});

it("[D43] [D34] a silent device's blocks are deleted when older than rawDays and horizon, unconfirmed ones never", async () => {
  await changeSettings(env.TENANT, "retained", {
    retention: { rawDays: 10, hourlyDays: 365, archiveDays: null },
  });
  const [device] = await deviceWithQueue("retained/silent");
  await device.report(packed([T0 + HOUR_MS, { a: 2 }]), T0 + HOUR_MS);
  await device.seal();
  later(10 * DAY_MS);
  await device.sweep();
  expect(await held(device, "a")).toHaveLength(2);
  later(2 * HOUR_MS);
  await device.sweep();
  expect(await slotsOf(device)).toBe(2); // unconfirmed
  expect(await held(device, "a")).toHaveLength(2);
  await device.confirm([
    { startMs: T0, revision: 1 },
    { startMs: T0 + HOUR_MS, revision: 1 },
  ]);
  expect(await held(device, "a")).toEqual([]); // the archive's, from now on
  expect((await device.sweep()).acted).toBe(true);
  expect(await slotsOf(device)).toBe(0);
  await evictDurableObject(device);
  expect(await device.readings("a", 0, ALWAYS)).toMatchObject({ hotFromMs: T0 + 2 * HOUR_MS });
  expect((await device.sweep()).acted).toBe(false);
  const now = T0 + 2 * HOUR_MS;
  const again = await device.report(packedAt(now, [now - 1, { a: 1 }], [now, { a: 1 }]), now);
  expect(again).toMatchObject({ counts: [1, 0, 0, 0, 0, 1], problems: [{ index: 0, code: "too_old" }] });
});

it("[S18] sealed blocks of a range go to the queue again, oldest first, open ones sealed before, twenty at once", async () => {
  const [device, queue] = await deviceWithQueue("resend/pages", many);
  for (let hour = 1; hour < 30; hour++) {
    await device.report(packed([T0 + hour * HOUR_MS, { a: hour, ...many }]), T0 + hour * HOUR_MS);
    if (hour < 29) await device.seal();
  }
  const starts = queue.sent.map(({ startMs }) => startMs);
  await device.confirm([...new Set(starts)].map((startMs) => ({ startMs, revision: 1 })));
  queue.sent.length = 0;
  const [fromMs, toMs] = [T0 + 2 * HOUR_MS, ALWAYS];
  const first = await device.resend(fromMs, toMs, -1);
  expect(first).toMatchObject({ sent: 20, nextMs: expect.any(Number) });
  const rest = await device.resend(fromMs, toMs, first.nextMs!);
  expect(rest.nextMs).toBeNull();
  const last = T0 + 29 * HOUR_MS;
  const sent = queue.sent.map(({ startMs }) => startMs);
  expect(sent.filter((startMs) => startMs === last)).toHaveLength(2); // sealed for it, and sent in its turn
  expect(sent.slice(1)).toEqual(sent.slice(1).toSorted((a, b) => a - b));
  expect(first.sent + rest.sent).toBe(new Set(sent).size);
  expect(await device.readings("a", 0, 0)).toMatchObject({ unsettledFromMs: Math.min(...sent) });
  expect(await device.resend(0, T0, -1)).toEqual({ sent: 0, nextMs: null });
  expect(await env.DEVICE.getByName("resend/never").resend(0, ALWAYS, -1)).toEqual({ sent: 0, nextMs: null });
});

it("[S18] [D13] what is not confirmed then is sent again, and its blocks say the device's zone", async () => {
  const [device, queue] = await deviceWithQueue("resend/lost");
  await device.seal();
  await device.confirm([{ startMs: T0, revision: 1 }]);
  await device.setProfile({ zone: "roof", name: null, model: null });
  await device.resend(0, ALWAYS, -1);
  await evictDurableObject(device);
  await queue.into(device);
  later(2 * MINUTE_MS);
  expect((await device.sweep()).acted).toBe(true);
  expect(queue.sent.map(({ startMs, revision, zone }) => [startMs, revision, zone])).toEqual([
    [T0, 1, "default"],
    [T0, 1, "roof"],
    [T0, 1, "roof"],
  ]);
});

it("[D26] a range is handed over when storage has all of it; then it is too old, and hot begins after it", async () => {
  await changeSettings(env.TENANT, "handed", { latenessHorizonMs: HOUR_MS });
  const [device, queue] = await deviceWithQueue("handed/over");
  const beforeMs = T0 + HOUR_MS;
  await device.report(packed([beforeMs, { a: 2 }]), T0 + HOUR_MS);
  await device.report(packed([T0 + 3 * HOUR_MS, { a: 3 }]), T0 + 3 * HOUR_MS);
  const [sent] = queue.sent;
  expect(await device.handOver(beforeMs)).toEqual({ pending: 1 });
  expect(await held(device, "a")).toHaveLength(3);
  await device.confirm([sent!]);
  expect(await device.handOver(beforeMs)).toEqual({ pending: 0 });
  await evictDurableObject(device);
  expect(await held(device, "a")).toEqual([
    [beforeMs, 2],
    [T0 + 3 * HOUR_MS, 3],
  ]);
  expect(await device.readings("a", 0, ALWAYS)).toMatchObject({ hotFromMs: beforeMs });
  await changeSettings(env.TENANT, "handed", { latenessHorizonMs: 7 * DAY_MS });
  later(HOUR_MS + 1);
  const now = T0 + 3 * HOUR_MS + 1;
  const tried = await device.report(packedAt(now, [beforeMs - 1, { a: 9 }], [beforeMs, { a: 2 }]), now);
  expect(tried.counts).toEqual([0, 1, 0, 0, 0, 1]);
});

it("[D26] its open blocks are sealed and sent first", async () => {
  await changeSettings(env.TENANT, "handed-open", { latenessHorizonMs: HOUR_MS });
  const [device, queue] = await deviceWithQueue("handed-open/open");
  later(2 * HOUR_MS + 1);
  const before = await rowsWritten(device);
  expect(await device.handOver(T0 + HOUR_MS)).toEqual({ pending: 1 });
  expect((await rowsWritten(device)) - before).toBe(2);
  await vi.waitFor(() => expect(queue.sent).toMatchObject([{ startMs: T0 }]));
});

it("[D26] what is within the lateness horizon is refused, and nothing is sealed", async () => {
  const [device, queue] = await deviceWithQueue("handed-refused/young");
  const message = await failureOf(device, T0 + HOUR_MS);
  expect(message).toContain(new Date(T0 + HOUR_MS).toISOString());
  expect(message).toContain("the lateness horizon (7 days)");
  expect(queue.sent).toEqual([]);
  expect(await device.readings("a", 0, ALWAYS)).toMatchObject({ hotFromMs: 0 });
});

it("[D26] a device that never reported hands over too, durably, and still never reported", async () => {
  const device = env.DEVICE.getByName("handed-never/pump");
  const beforeMs = Date.now() - 8 * DAY_MS;
  expect(await device.handOver(beforeMs)).toEqual({ pending: 0 });
  await evictDurableObject(device);
  expect(await device.latest()).toBeNull();
  expect(await alarmOf(device)).toBeNull();
  const now = beforeMs + DAY_MS;
  const answer = await device.report(packedAt(now, [beforeMs - 1, { a: 1 }], [beforeMs, { a: 2 }]), now);
  expect(answer.counts).toEqual([1, 0, 0, 0, 0, 1]);
  expect(await held(device, "a")).toEqual([[beforeMs, 2]]);
});
