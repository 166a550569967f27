// A device that is deleted, and what of it may come afterwards.
import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { decodeState, newState } from "../../../core/device/state.ts";
import type { SnapshotFrame } from "../../../schemas/live.ts";
import type { ServerFrame } from "../../../schemas/reading.ts";
import { defaultSettings } from "../../../schemas/tenant.ts";
import {
  type DeviceStub,
  HOUR_MS,
  held,
  KeptQueue,
  packed,
  T0,
  TestSocket,
  upgrade,
} from "../../test-support.ts";
import { ZoneObject } from "../zone/zone-object.ts";
import { isUpdate, join, watch } from "../zone/zone-test-support.ts";
import type { DeviceObject } from "./device-object.ts";

vi.setConfig({ testTimeout: 60_000 });
afterEach(() => vi.restoreAllMocks());

const DUE_MS = HOUR_MS + 3 * 60_000;

/** Everything an object keeps: its state, its ring, its alarm. */
const kept = (device: DeviceStub) =>
  runInDurableObject(device, async (_, { storage }) => ({
    states: storage.sql
      .exec<{ row: ArrayBuffer }>("SELECT row FROM state")
      .toArray()
      .map(({ row }) => decodeState(new Uint8Array(row))),
    ring: storage.sql.exec("SELECT slot FROM ring").toArray(),
    alarm: await storage.getAlarm(),
  }));

const nothingBut = (tenant: string, device: string, generation: number) => ({
  states: [{ ...newState(tenant, device, defaultSettings, 0), generation }],
  ring: [],
  alarm: null,
});

/** Whom a zone counts its own, whether or not they answer. */
async function membersOf(tenant: string, zone = "default"): Promise<string[]> {
  const answer = await env.ZONE.getByName(`${tenant}/${zone}`).fetch("https://telltale.test/snapshot");
  const { devices, missing } = await answer.json<SnapshotFrame>();
  return [...devices.map(({ device }) => device), ...missing];
}

it("[D24] nothing is left but the number of the next life: no block, no latest, no alarm, no member", async () => {
  const device = await join("deleted", "whole");
  await device.report(packed([T0 + DUE_MS, { a: 1 }]), T0 + DUE_MS);
  expect(await kept(device)).toMatchObject({ ring: [{}], alarm: expect.any(Number) });
  await device.forget(0);
  expect(await kept(device)).toEqual(nothingBut("deleted", "whole", 1));
  expect(await membersOf("deleted")).toEqual([]);
  for (let round = 0; round < 2; round++) {
    expect(await device.latest()).toBeNull();
    expect(await device.readings("a", 0, Number.MAX_SAFE_INTEGER)).toBeNull();
    expect(await device.watch(Date.now() + HOUR_MS)).toBeNull();
    expect((await device.sweep()).acted).toBe(false);
    expect(await device.seal()).toEqual({ sealed: 0, pending: 0 });
    await evictDurableObject(device);
  }
  expect(await kept(device)).toEqual(nothingBut("deleted", "whole", 1));
});

it("[D24] what is sent afterwards begins a new life, which no word of the old one confirms", async () => {
  const device = await join("deleted", "again");
  await device.forget(3);
  const queue = await new KeptQueue().into(device);
  expect((await device.report(packed([T0, { a: 7 }]), T0)).counts).toEqual([1, 0, 0, 0, 0, 0]);
  await vi.waitFor(async () => expect(await membersOf("deleted")).toContain("again"));
  expect(await device.seal()).toEqual({ sealed: 1, pending: 1 });
  expect(queue.sent).toMatchObject([{ startMs: T0, revision: 1, generation: 4, zone: "default" }]);
  await device.confirm([{ startMs: T0, revision: 1 }]);
  await device.confirm([{ startMs: T0, revision: 9, generation: 3 }]);
  expect(await device.readings("a", 0, 0)).toMatchObject({ unsettledFromMs: T0 });
  await device.confirm([{ startMs: T0, revision: 1, generation: 4 }]);
  expect(await device.readings("a", 0, 0)).toMatchObject({ unsettledFromMs: Number.MAX_SAFE_INTEGER });
});

it("[D24] said twice it costs the new life nothing; said of the new life it ends that", async () => {
  const device = await join("deleted", "twice");
  await Promise.all([device.forget(0), device.forget(0)]);
  await device.report(packed([T0 + 1, { a: 1 }]), T0 + 1);
  await device.forget(0);
  expect(await held(device, "a")).toEqual([[T0 + 1, 1]]);
  await device.forget(1);
  expect(await kept(device)).toEqual(nothingBut("deleted", "twice", 2));
});

it("[D24] its sockets are closed as 4003, and what they held unacknowledged is in no life", async () => {
  const device = env.DEVICE.getByName("deleted/sockets");
  const clock = { "telltale-clock": String(T0) };
  const connect = async () =>
    new TestSocket<ServerFrame>(await device.fetch(upgrade("/v1/connect?commitEveryMs=60000", clock)));
  const socket = await connect();
  socket.send({ type: "report", seq: 0, clockMs: T0, at: T0, metrics: { a: 1 } });
  await vi.waitFor(async () => expect(await device.latest()).not.toBeNull());
  await evictDurableObject(device);
  const forgotten = device.forget(0);
  for (let seq = 1; seq < 5; seq++)
    socket.send({ type: "report", seq, clockMs: T0 + 1, at: T0 + 1, metrics: { a: 1 } });
  await forgotten;
  expect(await socket.closed).toBe(4003);
  const next = await connect();
  next.send({ type: "report", seq: 9, clockMs: T0 + 2, at: T0 + 2, metrics: { a: 1 } });
  next.send({ type: "flush" });
  await next.until(({ type }) => type === "ack");
  expect(socket.frames).toEqual([]);
  expect(await held(device, "a")).toEqual([[T0 + 2, 1]]);
  next.close();
});

it("[D24] what a closed socket still brings is in no life", async () => {
  const device = env.DEVICE.getByName("deleted/closed-socket");
  await device.fetch(upgrade("/v1/connect"));
  await runInDurableObject<DeviceObject, void>(device, async (object, state) => {
    const [ws] = state.getWebSockets();
    await object.forget(0);
    await object.webSocketMessage(ws!, JSON.stringify({ type: "report", seq: 1, metrics: { a: 1 } }));
    await object.webSocketClose(ws!);
  });
  expect(await device.latest()).toBeNull();
  expect(await kept(device)).toEqual(nothingBut("deleted", "closed-socket", 1));
});

it("[D24] word of a connection still on its way to the zone comes before it leaves", async () => {
  const device = await join("deleted-slow", "pump");
  const presence = ZoneObject.prototype.presence;
  vi.spyOn(ZoneObject.prototype, "presence").mockImplementationOnce(async function (
    this: ZoneObject,
    ...said
  ) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    return await presence.apply(this, said);
  });
  await device.fetch(upgrade("/v1/connect"));
  await device.forget(0);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await membersOf("deleted-slow")).toEqual([]);
});

it("[D24] [L7] it leaves its zone, whose watchers are told, and no update follows", async () => {
  const device = await join("deleted-zone", "watched", "roof");
  const viewer = await watch("deleted-zone", "roof");
  await viewer.until(({ type }) => type === "snapshot");
  for (let i = 1; i <= 3; i++) await device.report(packed([T0 + i, { a: i }]), T0 + i); // one pushed, one to come
  await device.forget(0);
  await viewer.until(({ type }) => type === "left");
  await new Promise((resolve) => setTimeout(resolve, 1_200)); // a push is coalesced for a second
  expect(viewer.frames.at(-1)).toMatchObject({ type: "left", device: "watched" });
  expect(viewer.frames.some(isUpdate)).toBe(true);
  expect(await membersOf("deleted-zone", "roof")).toEqual([]);
  viewer.close();
});

it("[D24] a zone that is away: nothing is forgotten until it is told", async () => {
  const device = await join("deleted-away", "pump");
  vi.spyOn(ZoneObject.prototype, "leave").mockRejectedValueOnce(new Error("the zone is away"));
  const failure = await runInDurableObject(device, (object) =>
    object.forget(0).catch((error: Error) => error.message),
  );
  expect(failure).toBe("the zone is away");
  expect(await held(device, "a")).toEqual([[T0, 0]]);
  await device.forget(0);
  expect(await kept(device)).toEqual(nothingBut("deleted-away", "pump", 1));
  expect(await membersOf("deleted-away")).toEqual([]);
});

it("[D24] a report, its announcement or a connection under way brings nothing of the old life back", async () => {
  for (let round = 0; round < 12; round++) {
    const name = `racing-${round}`;
    const device = env.DEVICE.getByName(`${name}/pump`);
    const clock = { "telltale-clock": String(T0) };
    const first = device.report(packed([T0, { old: 1 }]), T0);
    const socket = device.fetch(upgrade("/v1/connect", clock)).then((response) => new TestSocket(response));
    if (round % 3 > 0) await first;
    if (round % 3 > 1) await new Promise((resolve) => setTimeout(resolve, round));
    await device.forget(0);
    await first;
    await socket;
    await new Promise((resolve) => setTimeout(resolve, 30));
    const { states } = await kept(device);
    expect(states).toMatchObject([{ generation: 1 }]);
    // Committed before, it is gone; committed after, the new life began with it. The zone knows which.
    const isKnown = (await device.latest()) !== null;
    await vi.waitFor(async () => expect(await membersOf(name)).toEqual(isKnown ? ["pump"] : []));
    if (round % 3 > 0) expect(isKnown).toBe(false);
  }
});

it("[D24] a device that never reported takes the number of its next life too", async () => {
  const device = env.DEVICE.getByName("deleted/never");
  await device.forget(0);
  expect(await kept(device)).toEqual(nothingBut("deleted", "never", 1));
  expect(await device.latest()).toBeNull();
});

it("[D29] a report that was not answered when its life ended is taken by the next one", async () => {
  const device = await join("deleted", "unanswered");
  const counts = await runInDurableObject<DeviceObject, number[]>(device, async (object, { storage }) => {
    // The commit is made, and durable only when the device is forgotten.
    const sync = storage.sync.bind(storage);
    vi.spyOn(storage, "sync").mockImplementationOnce(async () => {
      await object.forget(0);
      await sync();
    });
    return (await object.report(packed([T0 + 1, { a: 5 }]), T0 + 1)).counts;
  });
  expect(counts).toEqual([1, 0, 0, 0, 0, 0]);
  await evictDurableObject(device);
  expect(await held(device, "a")).toEqual([[T0 + 1, 5]]);
  expect(await device.life()).toMatchObject({ generation: 1, isKnown: true });
});

it("[S32] the registry's row goes when the object forgets, and what is written after that stays, however often it is said", async () => {
  const device = await join("deleted", "registered");
  const registered = () =>
    env.CONTROL.prepare("SELECT zone FROM device WHERE tenant = 'deleted' AND device = 'registered'").all();
  expect((await registered()).results).toHaveLength(1);
  await device.forget(0);
  expect((await registered()).results).toEqual([]);
  await env.CONTROL.prepare(
    "INSERT INTO device (tenant, device, zone, created_at) VALUES ('deleted', 'registered', 'attic', 0)",
  ).run();
  await device.forget(0);
  expect((await registered()).results).toEqual([{ zone: "attic" }]);
  await device.report(packed([T0, { a: 1 }]), T0);
  await vi.waitFor(async () => expect(await membersOf("deleted", "attic")).toEqual(["registered"]));
});

it("[D28] a registry that is away: nothing is forgotten until the device has left it", async () => {
  const device = await join("deleted", "unregistered");
  const failure = await runInDurableObject<DeviceObject, string>(device, async (object) => {
    const own = (object as unknown as { env: { CONTROL: D1Database } }).env;
    const away = {
      prepare: () => ({
        bind: () => {
          throw new Error("D1 is away");
        },
      }),
    };
    Object.defineProperty(object, "env", { value: { ...own, CONTROL: away }, configurable: true });
    return await object.forget(0).then(
      () => "forgotten",
      (error: Error) => String(error.cause ?? error),
    );
  });
  expect(failure).toContain("away");
  expect(await held(device, "a")).toEqual([[T0, 0]]);
  await evictDurableObject(device);
  await device.forget(0);
  expect(await kept(device)).toEqual(nothingBut("deleted", "unregistered", 1));
});
