import {
  createExecutionContext,
  env,
  evictDurableObject,
  getQueueResult,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import type { ServerFrame } from "../../../schemas/reading.ts";
import {
  batchOf,
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
  TestSocket,
  upgrade,
} from "../../test-support.ts";
import type { AggregateEnv } from "../env.ts";
import { consumeBlocks } from "../queues/consume-blocks.ts";

vi.setConfig({ testTimeout: 60_000 });

const aggregateEnv = env as unknown as AggregateEnv;
const MINUTE_MS = 60_000;
/** Past every block's due time: the hour's end, a minute, and all of SEAL_SPREAD_MS. */
const DUE_MS = HOUR_MS + 2 * MINUTE_MS;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const ringOf = (device: DeviceStub) =>
  runInDurableObject(device, (_, state) =>
    state.storage.sql.exec("SELECT start_ms, end_ms, revision FROM ring ORDER BY start_ms").toArray(),
  );

async function deviceWithQueue(name: string): Promise<[DeviceStub, KeptQueue]> {
  const device = env.DEVICE.getByName(name);
  return [device, await new KeptQueue().into(device)];
}

/** A device of one sealed hour, its next hour open; with `more` metrics in the first. */
async function deviceWithSealedHour(name: string, more = {}): Promise<[DeviceStub, KeptQueue]> {
  const [device, queue] = await deviceWithQueue(name);
  await device.report(packed([T0, { a: 1, ...more }]), T0);
  await rowsOnceKnown(device);
  await device.report(packed([T0 + DUE_MS, { a: 2 }]), T0 + DUE_MS);
  expect(queue.sent).toMatchObject([{ startMs: T0, revision: 1 }]);
  return [device, queue];
}

it("[D8] the commit that finds a block due seals it, not the one that touches it", async () => {
  const [device, queue] = await deviceWithQueue("sealing/by-data");
  await device.report(packed([T0, { a: 1 }]), T0);
  await device.report(packedAt(T0 + DUE_MS, [T0 + 1000, { a: 2 }]), T0 + DUE_MS);
  expect(await ringOf(device)).toEqual([]);
  await device.report(packed([T0 + DUE_MS + 1, { a: 3 }]), T0 + DUE_MS + 1);
  expect(await ringOf(device)).toEqual([{ start_ms: T0, end_ms: T0 + HOUR_MS, revision: 1 }]);
  expect(queue.sent).toMatchObject([
    { tenant: "sealing", device: "by-data", startMs: T0, endMs: T0 + HOUR_MS, revision: 1 },
  ]);
  expect(await held(device, "a")).toEqual([
    [T0, 1],
    [T0 + 1000, 2],
    [T0 + DUE_MS + 1, 3],
  ]);
});

it("[D39] not before the hour's end, a minute and the device's share of the spread", async () => {
  const [device] = await deviceWithQueue("sealing/not-yet");
  await device.report(packed([T0, { a: 1 }]), T0);
  await device.report(packed([T0 + HOUR_MS + MINUTE_MS - 1, { a: 2 }]), T0 + HOUR_MS + MINUTE_MS - 1);
  expect(await ringOf(device)).toEqual([]);
});

it("[D40] an alarm seals for a device that fell silent, after an eviction", async () => {
  const device = env.DEVICE.getByName("sealing/by-alarm");
  await device.report(packed([T0, { a: 1 }]), T0);
  await evictDurableObject(device);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + DUE_MS });
  expect(await runDurableObjectAlarm(device)).toBe(true);
  expect(await ringOf(device)).toEqual([{ start_ms: T0, end_ms: T0 + HOUR_MS, revision: 1 }]);
  expect(await held(device, "a")).toEqual([[T0, 1]]);
});

it("[D40] an alarm that comes early seals nothing and is set again", async () => {
  const device = env.DEVICE.getByName("sealing/early");
  await device.report(packed([T0, { a: 1 }]), T0);
  expect(await runDurableObjectAlarm(device)).toBe(true);
  expect(await ringOf(device)).toEqual([]);
  expect(await runInDurableObject(device, (_, state) => state.storage.getAlarm())).toBeGreaterThan(
    Date.now(),
  );
});

it("[D11] a late reading opens its sealed block again: same slot, next revision; duplicates alone do not", async () => {
  const [device, queue] = await deviceWithSealedHour("sealing/again");
  let now = T0 + DUE_MS + MINUTE_MS;
  expect((await device.report(packedAt(now, [T0, { a: 1 }]), now)).counts).toEqual([0, 1, 0, 0, 0, 0]);
  now += 20 * MINUTE_MS;
  await device.report(packed([now, { a: 3 }]), now);
  expect(queue.sent).toHaveLength(1);

  expect((await device.report(packedAt(now, [T0 + 1, { a: 9 }], [T0, { a: 5 }]), now)).counts).toEqual([
    0, 0, 1, 1, 0, 0,
  ]);
  now += 20 * MINUTE_MS;
  await device.report(packed([now, { a: 4 }]), now);
  expect(await ringOf(device)).toEqual([{ start_ms: T0, end_ms: T0 + HOUR_MS, revision: 2 }]);
  expect(queue.sent).toMatchObject([{ revision: 1 }, { startMs: T0, revision: 2 }]);
  expect((await held(device, "a")).slice(0, 2)).toEqual([
    [T0, 5],
    [T0 + 1, 9],
  ]);
});

it("[D13] unconfirmed blocks are sent again at doubling distance, byte for byte, also after an eviction", async () => {
  const [device, queue] = await deviceWithSealedHour("sealing/resent");
  const start = Date.now();
  const sentAfter: number[] = [];
  for (let minute = 1; minute <= 16; minute++) {
    vi.useFakeTimers({ toFake: ["Date"], now: start + minute * MINUTE_MS + 1000 });
    const before = queue.sent.length;
    const at = T0 + DUE_MS + minute * 1000;
    await device.report(packed([at, { a: minute }]), at);
    if (queue.sent.length > before) sentAfter.push(minute);
    if (minute === 4) {
      await evictDurableObject(device);
      await queue.into(device);
    }
  }
  // The first after OUTBOX_RESEND_MS, one minute; the next two, four and eight minutes later.
  expect(sentAfter).toEqual([1, 3, 7, 15]);
  for (const message of queue.sent) expect(message).toEqual(queue.sent[0]);
});

it("[D13] a queue that refuses loses nothing: the outbox sends again", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const [device, queue] = await deviceWithQueue("sealing/refused");
  queue.refusing = true;
  await device.report(packed([T0, { a: 1 }]), T0);
  await device.report(packed([T0 + DUE_MS, { a: 2 }]), T0 + DUE_MS);
  expect(queue.sent).toEqual([]);
  queue.refusing = false;
  expect(await device.seal()).toMatchObject({ pending: 2 });
  expect(queue.sent.map(({ startMs }) => startMs)).toEqual([T0 + HOUR_MS, T0]);
});

it("[D13] what the consumer stored is pending no more, and its block stays readable", async () => {
  const [device, queue] = await deviceWithSealedHour("sealing/stored");
  const batch = batchOf(...queue.sent);
  await consumeBlocks(batch, aggregateEnv);
  expect((await getQueueResult(batch, createExecutionContext())).explicitAcks).toHaveLength(1);
  queue.sent.length = 0;
  expect(await device.seal()).toEqual({ sealed: 1, pending: 1 }); // the open hour only
  expect(queue.sent.map(({ startMs }) => startMs)).toEqual([T0 + HOUR_MS]);
  expect(await held(device, "a")).toEqual([
    [T0, 1],
    [T0 + DUE_MS, 2],
  ]);
});

it("[D14] a confirmation of an older revision confirms nothing newer", async () => {
  const [device] = await deviceWithSealedHour("sealing/older");
  const now = T0 + DUE_MS + MINUTE_MS;
  await device.report(packedAt(now, [T0 + 1, { a: 9 }]), now);
  expect(await device.seal()).toMatchObject({ pending: 2 });
  await device.confirm([{ startMs: T0, revision: 1 }]);
  expect(await device.seal()).toMatchObject({ pending: 2 });
  await device.confirm([
    { startMs: T0, revision: 2 },
    { startMs: T0 + HOUR_MS, revision: 1 },
  ]);
  expect(await device.seal()).toMatchObject({ pending: 0 });
});

it("[D41] with a block open it waits for the next commit", async () => {
  const [device] = await deviceWithSealedHour("sealing/with-next", many);
  const before = await rowsWritten(device);
  await device.confirm([{ startMs: T0, revision: 1 }]);
  expect(await rowsWritten(device)).toBe(before);
  await device.report(packed([T0 + DUE_MS + 1, { a: 3 }]), T0 + DUE_MS + 1);
  expect(await rowsWritten(device)).toBe(before + 1);
  await evictDurableObject(device);
  expect(await device.readings("a", 0, 0)).toMatchObject({ unsettledFromMs: T0 + HOUR_MS });
});

it("[D41] [D21] with only a block of six hours open it is written at once: the next commit may be hours away", async () => {
  const [device] = await deviceWithSealedHour("sealing/slow");
  const before = await rowsWritten(device);
  await device.confirm([{ startMs: T0, revision: 1 }]);
  expect(await rowsWritten(device)).toBe(before + 1);
});

it("[D41] with nothing open it is written at once", async () => {
  const [device] = await deviceWithSealedHour("sealing/at-once");
  await device.seal();
  const before = await rowsWritten(device);
  await device.confirm([
    { startMs: T0, revision: 1 },
    { startMs: T0 + HOUR_MS, revision: 1 },
  ]);
  expect(await rowsWritten(device)).toBe(before + 1);
  await evictDurableObject(device);
  expect(await device.readings("a", 0, 0)).toMatchObject({ unsettledFromMs: Number.MAX_SAFE_INTEGER });
});

it("[D41] with a socket it rides in the attachment through a hibernation, and no row is written", async () => {
  const [device] = await deviceWithSealedHour("sealing/in-attachment");
  const clock = { "telltale-clock": String(T0 + DUE_MS + 1) };
  const socket = new TestSocket<ServerFrame>(
    await device.fetch(upgrade("/v1/connect?commitEveryMs=60000", clock)),
  );
  const before = await rowsWritten(device);
  await device.confirm([{ startMs: T0, revision: 1 }]);
  expect(await rowsWritten(device)).toBe(before);
  await evictDurableObject(device);
  expect(await device.readings("a", 0, 0)).toMatchObject({ unsettledFromMs: T0 + HOUR_MS });
  expect(await rowsWritten(device)).toBe(0);
  socket.close();
});
