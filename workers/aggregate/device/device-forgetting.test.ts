// What an object that sleeps or fails between two steps must not forget.
import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import type { ServerFrame } from "../../../schemas/reading.ts";
import { changeSettings } from "../../tenant.ts";
import {
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

vi.setConfig({ testTimeout: 60_000 });
afterEach(() => vi.useRealTimers());

const DUE_MS = HOUR_MS + 3 * 60_000;

it("[D41] a confirmation forgotten in a sleep is written at once when it comes again", async () => {
  const device = env.DEVICE.getByName("forgetting/confirmed");
  await device.report(packed([T0, { a: 1, ...many }]), T0);
  await rowsOnceKnown(device);
  const queue = await new KeptQueue().into(device);
  await device.report(packed([T0 + DUE_MS, { a: 2 }]), T0 + DUE_MS);
  await device.confirm([{ startMs: T0, revision: 1 }]);
  await evictDurableObject(device);
  expect(await device.readings("a", 0, 0)).toMatchObject({ unsettledFromMs: T0 }); // forgotten
  await queue.into(device);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 2 * 60_000 });
  await device.report(packed([T0 + DUE_MS + 1, { a: 3 }]), T0 + DUE_MS + 1); // sends it again
  const before = await rowsWritten(device);
  await device.confirm([{ startMs: T0, revision: 1 }]);
  expect(await rowsWritten(device)).toBe(before + 1);
  await evictDurableObject(device);
  expect(await device.readings("a", 0, 0)).toMatchObject({ unsettledFromMs: T0 + HOUR_MS });
});

it("[D20] settings asked for at the hour are kept through a sleep right after the report", async () => {
  const device = env.DEVICE.getByName("forgetful/settings");
  await device.report(packed([T0, { a: 1 }]), T0);
  await rowsOnceKnown(device);
  await changeSettings(env.TENANT, "forgetful", { latenessHorizonMs: HOUR_MS });
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + HOUR_MS + 60_000 });
  const later = T0 + HOUR_MS + 60_000;
  await device.report(packed([later, { a: 1 }]), later);
  await evictDurableObject(device);
  const refused = await device.report(packedAt(later, [later - HOUR_MS - 1, { a: 1 }]), later);
  expect(refused.counts).toEqual([0, 0, 0, 0, 0, 1]);
});

it("[D20] a new device's held reports are judged by its tenant's settings after a hibernation", async () => {
  await changeSettings(env.TENANT, "patient", { latenessHorizonMs: 30 * 86_400_000 });
  const device = env.DEVICE.getByName("patient/new");
  const clock = { "telltale-clock": String(T0) };
  const socket = new TestSocket<ServerFrame>(
    await device.fetch(upgrade("/v1/connect?commitEveryMs=60000", clock)),
  );
  socket.send({ type: "report", seq: 0, clockMs: T0, at: T0 - 20 * 86_400_000, metrics: { a: 1 } });
  await vi.waitFor(async () => expect(await device.latest()).not.toBeNull());
  await evictDurableObject(device);
  socket.send({ type: "report", seq: 1, clockMs: T0 + 1, at: T0 - 20 * 86_400_000 + 1, metrics: { a: 2 } });
  socket.send({ type: "flush" });
  expect(await socket.until(({ type }) => type === "ack")).toMatchObject({ seq: 1, stored: 2, refused: 0 });
  socket.close();
});

it("[D2] over two doors, what came later wins", async () => {
  const device = env.DEVICE.getByName("doors/two");
  const clock = { "telltale-clock": String(T0) };
  const socket = new TestSocket<ServerFrame>(
    await device.fetch(upgrade("/v1/connect?commitEveryMs=60000", clock)),
  );
  socket.send({ type: "report", seq: 0, clockMs: T0, at: T0, metrics: { a: 1 } });
  await vi.waitFor(async () => expect(await device.latest()).not.toBeNull());
  expect((await device.report(packed([T0, { a: 2 }]), T0 + 1)).counts).toEqual([0, 0, 1, 0, 0, 0]);
  expect(await socket.until(({ type }) => type === "ack")).toMatchObject({ stored: 1 });
  expect(await held(device, "a")).toEqual([[T0, 2]]);
  socket.close();
});

it("[D1] a commit that fails half-way leaves nothing behind, and the report may come again", async () => {
  const device = env.DEVICE.getByName("halfway/commit");
  await device.report(packed([T0, { a: 1 }]), T0);
  await rowsOnceKnown(device);
  const breaking = (broken: boolean) =>
    runInDurableObject(device, (_object, { storage: { sql } }) => {
      const whole = Object.getPrototypeOf(sql).exec as typeof sql.exec;
      sql.exec = ((query: string, ...bindings: unknown[]) => {
        if (broken && query.startsWith("INSERT INTO ring")) throw new Error("the disk is full");
        return whole.call(sql, query, ...bindings);
      }) as typeof sql.exec;
    });
  await breaking(true);
  const report = packed([T0 + DUE_MS, { a: 2 }]);
  // Asked from inside: an error that crosses an RPC would also be told to the test's runner.
  const failure = await runInDurableObject(device, (object) =>
    object.report(report, T0 + DUE_MS).catch((error: Error) => error.message),
  );
  expect(failure).toBe("the disk is full");
  await breaking(false);
  expect(await held(device, "a")).toEqual([[T0, 1]]);
  expect((await device.report(report, T0 + DUE_MS)).counts).toEqual([1, 0, 0, 0, 0, 0]);
  expect(await held(device, "a")).toEqual([
    [T0, 1],
    [T0 + DUE_MS, 2],
  ]);
});
