import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { alertOf, channelOf, resolvedOf, snapshotOf } from "../../core/alert/deliver/fake-notice.ts";
import type { NoticeKind, Severity } from "../../schemas/alert.ts";
import type { Channel, Delivery } from "../../schemas/channel.ts";
import type { ChannelNotice } from "../../schemas/message.ts";
import type { ChannelObject } from "./channel-object.ts";

type ChannelStub = DurableObjectStub<ChannelObject>;

/** So far ahead that no alarm rings by itself: the platform's clock is the real one. */
const T0 = Date.UTC(2100, 0, 1);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let objects = 0;
/** A channel's object of its own for each test. */
const newObject = (): ChannelStub =>
  (env as unknown as { CHANNEL: DurableObjectNamespace<ChannelObject> }).CHANNEL.getByName(
    `acme/channel-${++objects}`,
  );

interface Asked {
  key: string;
  kind: string;
  url: string;
}

/** Stands in for the internet: keeps what it was asked, and answers in turn, 200 unless said. */
class Internet {
  readonly asked: Asked[] = [];
  readonly answers: (() => Response | Promise<Response>)[] = [];
  otherwise: () => Response | Promise<Response> = () => new Response(null, { status: 200 });

  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const { key, kind } = JSON.parse(init.body as string);
    this.asked.push({ key, kind, url });
    return (this.answers.shift() ?? this.otherwise)();
  };

  get keys(): string[] {
    return this.asked.map(({ key }) => key);
  }
}

const status =
  (code: number, headers: Record<string, string> = {}) =>
  () =>
    new Response("", { status: code, headers });
let internet: Internet;

beforeEach(() => {
  internet = new Internet();
  vi.stubGlobal("fetch", internet.fetch);
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function notice(
  incident: string,
  kind: NoticeKind,
  { number = 1, severity = "critical" as Severity } = {},
): ChannelNotice {
  const rule = { severity };
  const alerts = [kind === "resolve" ? resolvedOf({ rule }) : alertOf({ rule })];
  return {
    key: `${incident}.${kind}.${number}`,
    kind,
    tenant: "acme",
    snapshot: snapshotOf(alerts, { id: incident }),
  };
}

const own: Channel = channelOf();

/** Waits until nothing is being sent any more, and nothing could be. */
const settled = (object: ChannelStub): Promise<void> =>
  vi.waitFor(async () => {
    const { deliveries } = await object.deliveries(1_000);
    expect(deliveries.filter(({ state, dueAt }) => state === "waiting" && dueAt! <= Date.now())).toEqual([]);
  });

const states = async (object: ChannelStub) =>
  Object.fromEntries((await object.deliveries(1_000)).deliveries.map(({ key, state }) => [key, state]));

/** Lets the clock go on, and the alarm ring. */
async function later(object: ChannelStub, ms: number): Promise<void> {
  vi.setSystemTime(Date.now() + ms);
  await runDurableObjectAlarm(object);
}

describe("a channel's object", () => {
  it("[A31] takes a key once, also after it was evicted", async () => {
    const object = newObject();
    await object.deliver(own, notice("a", "fire"));
    await settled(object);
    await object.deliver(own, notice("a", "fire"));
    await evictDurableObject(object);
    await object.deliver(own, notice("a", "fire"));
    await settled(object);
    expect(internet.keys).toEqual(["a.fire.1"]);
    expect((await object.deliveries(10)).counts).toEqual({ sent: 1, waiting: 0 });
  });

  it("[A31] [A33] what waits survives the object, and is sent by its alarm with its key", async () => {
    const object = newObject();
    internet.otherwise = status(500);
    await object.deliver(own, notice("a", "fire"));
    await vi.waitFor(async () => expect((await object.deliveries(1)).deliveries[0]?.attempts).toBe(1));
    await evictDurableObject(object);
    internet.otherwise = status(200);
    await later(object, 60_000);
    await settled(object);
    expect(internet.keys).toEqual(["a.fire.1", "a.fire.1"]);
    expect(await states(object)).toEqual({ "a.fire.1": "sent" });
  });

  it("[A33] while it fails nothing else is tried before its time, then one message, then all", async () => {
    const object = newObject();
    internet.otherwise = status(503, { "retry-after": "120" });
    await object.deliver(own, notice("a", "fire"));
    await vi.waitFor(async () => expect((await object.deliveries(1)).deliveries[0]?.attempts).toBe(1));
    for (const id of ["b", "c", "d"]) await object.deliver(own, notice(id, "fire"));
    await later(object, 119_000);
    expect(internet.keys).toEqual(["a.fire.1"]);
    await later(object, 1_001);
    await vi.waitFor(() => expect(internet.asked).toHaveLength(2));
    expect(internet.keys).toEqual(["a.fire.1", "b.fire.1"]); // one, and the one tried least
    internet.otherwise = status(200);
    await later(object, 120_001);
    await settled(object);
    expect(internet.keys.slice(2).toSorted()).toEqual(["a.fire.1", "b.fire.1", "c.fire.1", "d.fire.1"]);
  });

  it("[A33] a message that nobody can read delays no other", async () => {
    const object = newObject();
    internet.answers.push(status(400));
    await object.deliver(own, notice("odd", "fire"));
    await vi.waitFor(async () => expect((await object.deliveries(1)).deliveries[0]?.attempts).toBe(1));
    await object.deliver(own, notice("a", "fire"));
    await settled(object);
    expect(await states(object)).toEqual({ "odd.fire.1": "waiting", "a.fire.1": "sent" });
  });

  it("[A32] [A33] given up after a day, listed as dead with what was said last, and its resolve with it", async () => {
    const object = newObject();
    internet.otherwise = status(500);
    await object.deliver(own, notice("a", "fire"));
    await object.deliver(own, notice("a", "resolve"));
    await vi.waitFor(async () => expect((await object.deliveries(2)).deliveries[1]?.attempts).toBe(1));
    await later(object, DAY_MS - 1_000);
    await vi.waitFor(async () => expect((await object.deliveries(2)).deliveries[1]?.attempts).toBe(2));
    expect(await states(object)).toEqual({ "a.fire.1": "waiting", "a.resolve.1": "waiting" });
    await later(object, HOUR_MS);
    await vi.waitFor(async () =>
      expect(await states(object)).toEqual({ "a.fire.1": "dead", "a.resolve.1": "dead" }),
    );
    const { deliveries, counts } = await object.deliveries(2);
    expect(deliveries[1]).toMatchObject({ attempts: 3, error: "given up: answered 500", dueAt: null });
    expect(counts).toEqual({ dead: 2, waiting: 0 });
  });

  it("[A30] over its budget: held and counted; critical ones and resolves go", async () => {
    const object = newObject();
    const tight = channelOf({ perHourMax: 2 });
    const quiet = { severity: "warning" as const };
    for (const id of ["a", "b", "c"]) await object.deliver(tight, notice(id, "fire", quiet));
    await object.deliver(tight, notice("d", "fire"));
    await settled(object);
    await object.deliver(tight, notice("c", "update", quiet));
    await object.deliver(tight, notice("c", "resolve", quiet));
    await object.deliver(tight, notice("a", "resolve", quiet));
    await settled(object);
    expect(internet.keys).toEqual(["a.fire.1", "b.fire.1", "d.fire.1", "a.resolve.1"]);
    expect(await states(object)).toMatchObject({
      "c.fire.1": "held",
      "c.update.1": "dropped",
      "c.resolve.1": "dropped",
    });
    expect((await object.deliveries(1)).counts).toEqual({ sent: 4, held: 1, dropped: 2, waiting: 0 });
    await later(object, HOUR_MS);
    await object.deliver(tight, notice("e", "fire", quiet));
    await settled(object);
    expect(internet.keys.at(-1)).toBe("e.fire.1");
  });

  it("[A32] the resolve goes to who got the fire, after it; to nobody else, whose list does not mention it", async () => {
    const object = newObject();
    await object.deliver(own, notice("a", "resolve"));
    expect((await object.deliveries(10)).deliveries).toEqual([]);
    await object.deliver(own, notice("b", "fire"));
    await object.deliver(own, notice("b", "resolve"));
    await settled(object);
    expect(internet.asked.map(({ kind }) => kind)).toEqual(["fire", "resolve"]);
    // Long after its messages are listed, an incident is known to have been told.
    await object.deliver(own, notice("c", "escalate"));
    await settled(object);
    await later(object, 8 * DAY_MS);
    expect((await object.deliveries(10)).deliveries).toEqual([]);
    await object.deliver(own, notice("c", "resolve"));
    await settled(object);
    expect(internet.keys.at(-1)).toBe("c.resolve.1");
  });

  it("[A32] a resolve that the queue brought before its fire follows it all the same, once", async () => {
    const object = newObject();
    await object.deliver(own, notice("a", "resolve"));
    await evictDurableObject(object);
    await object.deliver(own, notice("a", "fire"));
    await settled(object);
    await object.deliver(own, notice("a", "resolve"));
    await object.deliver(own, notice("a", "update"));
    await settled(object);
    expect(internet.keys).toEqual(["a.fire.1", "a.resolve.1"]);
    expect(internet.asked.map(({ kind }) => kind)).toEqual(["fire", "resolve"]);
  });

  it("[A24] [A33] of the updates that an outage kept waiting only the newest is sent", async () => {
    const object = newObject();
    internet.otherwise = status(500);
    await object.deliver(own, notice("a", "fire"));
    await vi.waitFor(async () => expect((await object.deliveries(1)).deliveries[0]?.attempts).toBe(1));
    for (const number of [2, 3, 4]) await object.deliver(own, notice("a", "update", { number }));
    internet.otherwise = status(200);
    await later(object, 60_000);
    await settled(object);
    expect(internet.keys.slice(1)).toEqual(["a.fire.1", "a.update.4"]);
  });

  it("[A33] a channel that is put right is tried at once; one that is deleted drops what waits, and stays deleted", async () => {
    const object = newObject();
    internet.otherwise = status(404);
    await object.deliver(own, notice("a", "fire"));
    await vi.waitFor(async () => expect((await object.deliveries(1)).deliveries[0]?.attempts).toBe(1));
    internet.otherwise = status(200);
    const target = { type: "webhook" as const, url: "https://example.com/right" };
    await object.configure({ ...own, target, updatedAt: own.updatedAt + 1 });
    await settled(object);
    expect(internet.asked.map(({ url }) => url)).toEqual([
      "https://example.com/hook",
      "https://example.com/right",
    ]);
    // Who read the channel before it was changed does not change it back.
    await object.deliver(own, notice("b", "fire"));
    await settled(object);
    expect(internet.asked.at(-1)?.url).toBe("https://example.com/right");
    internet.otherwise = status(500);
    await object.deliver(own, notice("c", "fire"));
    await vi.waitFor(async () => expect((await object.deliveries(1)).deliveries[0]?.attempts).toBe(1));
    await object.configure(null);
    const asked = internet.asked.length;
    await object.deliver(own, notice("d", "fire"));
    await later(object, HOUR_MS);
    expect(internet.asked).toHaveLength(asked);
    expect(await object.deliveries(10)).toEqual({ deliveries: [], counts: { waiting: 0 } });
    // Made anew under the same name it is another one.
    internet.otherwise = status(200);
    await object.deliver({ ...own, createdAt: own.createdAt + 1 }, notice("d", "fire"));
    await settled(object);
    expect(internet.keys.at(-1)).toBe("d.fire.1");
  });

  it("[A33] a channel that was to be deleted and still is there is told again once it is configured", async () => {
    const object = newObject();
    await object.configure(own);
    await object.configure(null);
    await object.configure({ ...own, updatedAt: own.updatedAt + 1 });
    await object.deliver(own, notice("a", "fire"));
    await settled(object);
    expect(internet.keys).toEqual(["a.fire.1"]);
  });

  it("[A33] a disabled channel drops what waits", async () => {
    const object = newObject();
    internet.otherwise = status(500);
    await object.deliver(own, notice("a", "fire"));
    await vi.waitFor(async () => expect((await object.deliveries(1)).deliveries[0]?.attempts).toBe(1));
    await object.configure({ ...own, enabled: false, updatedAt: own.updatedAt + 1 });
    await object.deliver(own, notice("b", "fire"));
    expect(await states(object)).toEqual({ "a.fire.1": "dropped" });
    expect(internet.asked).toHaveLength(1);
  });

  it("[A36] a test message is one attempt, and says what came of it", async () => {
    const object = newObject();
    // Called in place: the test runner keeps the name `test` of a stub for itself.
    const test = () => runInDurableObject<ChannelObject, Delivery>(object, (instance) => instance.test(own));
    expect(await test()).toMatchObject({ kind: "test", state: "sent", attempts: 1, error: null });
    internet.otherwise = () => Promise.reject(new Error("no route"));
    const failed = await test();
    expect(failed).toMatchObject({ state: "dead", error: "not reached: Error: no route" });
    expect(internet.asked.map(({ kind }) => kind)).toEqual(["test", "test"]);
    expect((await object.deliveries(1)).deliveries[0]).toEqual(failed);
  });

  it("[A31] a key is known for a day however many messages come, and finished messages go after a week", async () => {
    const object = newObject();
    await object.deliver(own, notice("first", "fire"));
    await runInDurableObject(object, (_, { storage }) => {
      for (let i = 0; i < 1_200; i++) {
        storage.sql.exec(
          `INSERT INTO delivery (key, incident, kind, severity, state, attempts, created_at, finished_at)
            VALUES (?, ?, 'fire', 'critical', 'sent', 1, ?, ?)`,
          ...[`k${i}`, `i${i}`, T0, T0],
        );
      }
    });
    await settled(object);
    await later(object, HOUR_MS);
    expect((await object.deliveries(5_000)).deliveries).toHaveLength(1_201);
    await object.deliver(own, notice("second", "fire"));
    await settled(object);
    await later(object, DAY_MS);
    const { deliveries, counts } = await object.deliveries(5_000);
    expect(deliveries).toHaveLength(1_000);
    expect(deliveries[0]?.key).toBe("second.fire.1");
    expect(counts).toEqual({ sent: 2, waiting: 0 });
    await object.deliver(own, notice("third", "fire"));
    await settled(object);
    await later(object, 6.5 * DAY_MS);
    expect((await object.deliveries(5_000)).deliveries.map(({ key }) => key)).toEqual(["third.fire.1"]);
  });

  it("[A33] five hundred members are kept and told", async () => {
    const object = newObject();
    const alerts = Array.from({ length: 500 }, (_, i) => alertOf({ device: `pump-${i}` }));
    let told: { alerts: unknown[]; omitted: number } | undefined;
    vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
      told = JSON.parse(init.body as string);
      return new Response();
    });
    await object.deliver(own, { key: "k", kind: "fire", tenant: "acme", snapshot: snapshotOf(alerts) });
    await settled(object);
    expect([told?.alerts.length, told?.omitted]).toEqual([500, 0]);
  });
});
