import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { alertOf, channelOf, resolvedOf, snapshotOf } from "../../../core/alert/deliver/fake-notice.ts";
import type { Alert, Incident, IncidentSnapshot, NoticeKind, Severity } from "../../../schemas/alert.ts";
import type { Channel, Delivery } from "../../../schemas/channel.ts";
import type { ChannelNotice } from "../../../schemas/message.ts";
import { changeSettings, tellUse, warningsOf } from "../../tenant.ts";
import type { ChannelObject } from "./channel-object.ts";

type ChannelStub = DurableObjectStub<ChannelObject>;
const { TENANT } = env as unknown as { TENANT: DurableObjectNamespace };

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
  const one = kind === "resolve" ? resolvedOf : alertOf;
  // Each number has a member more than the one before.
  const alerts = Array.from({ length: number }, (_, i) => one({ rule, id: `too-hot.0.${i}.pump-1` }));
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

  it("[A59] a message that its receiver refuses for good delays no other, and is not tried again", async () => {
    const object = newObject();
    internet.answers.push(status(400));
    await object.deliver(own, notice("odd", "fire"));
    await vi.waitFor(async () => expect((await object.deliveries(1)).deliveries[0]?.attempts).toBe(1));
    await object.deliver(own, notice("a", "fire"));
    await settled(object);
    expect(await states(object)).toEqual({ "odd.fire.1": "refused", "a.fire.1": "sent" });
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
    const test = () =>
      runInDurableObject<ChannelObject, Delivery | { retryAfterMs: number }>(object, (instance) =>
        instance.test(own),
      );
    expect(await test()).toMatchObject({ kind: "test", state: "sent", attempts: 1, error: null });
    internet.otherwise = () => Promise.reject(new Error("no route"));
    const failed = await test();
    expect(failed).toMatchObject({ state: "dead", error: "not reached: Error: no route" });
    expect(internet.asked.map(({ kind }) => kind)).toEqual(["test", "test"]);
    expect((await object.deliveries(1)).deliveries[0]).toEqual(failed);
  });

  it("[A72] a channel is tested three times within a minute, also by those who ask at once, and then not", async () => {
    const object = newObject();
    const test = () => runInDurableObject<ChannelObject, unknown>(object, (instance) => instance.test(own));
    const at = Date.now();
    vi.useFakeTimers({ toFake: ["Date"], now: at });
    const answers = await Promise.all([1, 2, 3, 4, 5].map(test));
    expect(answers.filter((answer) => "state" in (answer as object))).toHaveLength(3);
    expect(answers.filter((answer) => "retryAfterMs" in (answer as object))).toEqual([
      { retryAfterMs: 60_000 },
      { retryAfterMs: 60_000 },
    ]);
    expect(internet.asked).toHaveLength(3);
    await evictDurableObject(object);
    vi.setSystemTime(at + 59_000);
    expect(await test()).toEqual({ retryAfterMs: 1_000 });
    vi.setSystemTime(at + 60_000);
    expect(await test()).toMatchObject({ kind: "test", state: "sent" });
    expect(internet.asked).toHaveLength(4);
    vi.useRealTimers();
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

  describe("says nothing twice", () => {
    const told = (id: string, state = "firing") =>
      (state === "resolved" ? resolvedOf : alertOf)({ id, device: id, state: state as Alert["state"] });
    const message = (
      key: string,
      alerts: Alert[],
      change: Omit<Partial<IncidentSnapshot>, "incident"> & { incident?: Partial<Incident> } = {},
    ): ChannelNotice => {
      const { incident, ...rest } = change;
      const [id, kind] = key.split(".") as [string, NoticeKind];
      return {
        key,
        kind,
        tenant: "acme",
        snapshot: { ...snapshotOf(alerts, { id, ...incident }), ...rest },
      };
    };
    const abc = ["a", "b", "c"].map((id) => told(id));
    const omitted = (members: number) => ({ incident: { members, active: members } });

    it.each<[title: string, messages: ChannelNotice[], sent: string[]]>([
      [
        "three fire at once, and the update lists the same",
        [message("i.fire.0", abc), message("i.update.0", abc)],
        ["i.fire.0"],
      ],
      [
        "an update, and another that lists the same",
        [message("i.fire.0", [told("a")]), message("i.update.0", abc), message("i.update.1", abc)],
        ["i.fire.0", "i.update.0"],
      ],
      [
        "a fire that an update overtook on its way",
        [message("i.update.0", abc), message("i.fire.0", [told("a")])],
        ["i.update.0"],
      ],
      [
        "an update after an escalation that listed the same",
        [
          message("i.fire.0", [told("a")]),
          message("i.escalate.0", abc),
          message("i.update.0", abc),
          message("i.escalate.1", abc),
        ],
        ["i.fire.0", "i.escalate.0", "i.escalate.1"],
      ],
      [
        "somebody acknowledged, commented or was assigned",
        [
          message("i.fire.0", abc),
          message("i.update.0", [
            { ...told("a", "acknowledged"), revision: 3, assignee: "bo" },
            abc[1]!,
            abc[2]!,
          ]),
        ],
        ["i.fire.0"],
      ],
      [
        "a resolve after a resolve",
        [
          message("i.fire.0", [told("a")]),
          message("i.resolve.0", [told("a", "resolved")]),
          message("i.resolve.1", [told("a", "resolved")]),
        ],
        ["i.fire.0", "i.resolve.0"],
      ],
      [
        "a member that was muted, ended and was never told of",
        [
          message("i.fire.0", [told("a"), told("b")], { muted: ["b"] }),
          message("i.update.0", [told("a"), told("b", "resolved")]),
        ],
        ["i.fire.0"],
      ],
      [
        "new: a member",
        [message("i.fire.0", abc), message("i.update.0", [...abc, told("d")])],
        ["i.fire.0", "i.update.0"],
      ],
      [
        "new: a member that ended",
        [message("i.fire.0", abc), message("i.update.0", [told("a", "resolved"), abc[1]!, abc[2]!])],
        ["i.fire.0", "i.update.0"],
      ],
      [
        "new: a member that ended and fired again",
        [
          message("i.fire.0", abc),
          message("i.update.0", [told("a", "resolved"), abc[1]!, abc[2]!]),
          message("i.update.1", [told("a", "resolved"), told("a2"), abc[1]!, abc[2]!]),
        ],
        ["i.fire.0", "i.update.0", "i.update.1"],
      ],
      [
        "new: a member that is muted no more",
        [message("i.fire.0", abc, { muted: ["c"] }), message("i.update.0", abc)],
        ["i.fire.0", "i.update.0"],
      ],
      [
        "new: the severity",
        [
          message("i.fire.0", abc),
          message("i.update.0", abc, {
            incident: { rule: { ...abc[0]!.rule, severity: "warning" } },
          }),
        ],
        ["i.fire.0", "i.update.0"],
      ],
      ["new: an incident", [message("i.fire.0", abc), message("j.fire.0", abc)], ["i.fire.0", "j.fire.0"]],
    ])("[A61] %s", async (_, messages, sent) => {
      const object = newObject();
      for (const one of messages) {
        await object.deliver(own, one);
        await settled(object);
        await evictDurableObject(object);
      }
      expect(internet.keys).toEqual(sent);
      const rest = messages.map(({ key }) => key).filter((key) => !sent.includes(key));
      const dropped = (await object.deliveries(10)).deliveries.filter(({ state }) => state === "dropped");
      expect(dropped.map(({ key }) => key).toSorted()).toEqual(rest.toSorted());
    });

    it("[A61] judged by what was sent: what was held back, or waits, told nobody", async () => {
      const object = newObject();
      const tight = channelOf({ perHourMax: 1 });
      const rule = { severity: "warning" as const };
      const warn = (id: string) => alertOf({ id, rule });
      await object.deliver(tight, message("x.fire.0", [warn("x")]));
      await settled(object);
      await object.deliver(tight, message("i.fire.0", [warn("a"), warn("b")]));
      await later(object, HOUR_MS);
      await object.deliver(tight, message("i.escalate.0", [warn("a"), warn("b")]));
      await settled(object);
      expect(internet.keys).toEqual(["x.fire.0", "i.escalate.0"]);
      internet.otherwise = status(500);
      await object.deliver(own, message("j.fire.0", abc));
      await vi.waitFor(async () => expect((await object.deliveries(1)).deliveries[0]?.attempts).toBe(1));
      await object.deliver(own, message("j.update.0", abc));
      internet.otherwise = status(200);
      await later(object, 60_000);
      await settled(object);
      expect(internet.keys.slice(2)).toEqual(["j.fire.0", "j.fire.0"]);
      expect(await states(object)).toMatchObject({ "j.fire.0": "sent", "j.update.0": "dropped" });
    });

    it("[A61] of members that a message left out only the numbers are known", async () => {
      const object = newObject();
      const large = Array.from({ length: 2_000 }, (_, i) => alertOf({ id: `m${i}`, model: "x".repeat(700) }));
      await object.deliver(own, message("i.fire.0", large));
      await settled(object);
      await object.deliver(own, message("i.update.0", large));
      await settled(object);
      await object.deliver(own, message("i.update.1", large, omitted(2_001)));
      await settled(object);
      expect(internet.keys).toEqual(["i.fire.0", "i.update.1"]);
    });
  });

  describe("a receiver that refuses", () => {
    it.each([400, 401, 403, 404, 410, 413, 422])(
      "[A59] %i: one attempt, shown with what it said, and the next message is tried",
      async (code) => {
        const object = newObject();
        internet.answers.push(() => new Response("the subject is\r\nodd", { status: code }));
        await object.deliver(own, notice("a", "fire"));
        await settled(object);
        for (let hour = 0; hour < 30; hour++) await later(object, HOUR_MS);
        expect(internet.keys).toEqual(["a.fire.1"]);
        const { deliveries, counts } = await object.deliveries(1);
        expect(deliveries[0]).toMatchObject({
          ...{ state: "refused", attempts: 1, dueAt: null },
          error: `answered ${code}: the subject is odd`,
        });
        expect(counts).toEqual({ refused: 1, waiting: 0 });
        await object.deliver(own, notice("a", "update", { number: 2 }));
        await object.deliver(own, notice("a", "resolve"));
        await settled(object);
        expect(internet.keys).toEqual(["a.fire.1", "a.update.2", "a.resolve.1"]);
      },
    );

    it.each([408, 425, 429, 500, 503])("[A59] %i may pass later, and is tried again", async (code) => {
      const object = newObject();
      internet.answers.push(status(code));
      await object.deliver(own, notice("a", "fire"));
      await vi.waitFor(async () => expect((await object.deliveries(1)).deliveries[0]?.attempts).toBe(1));
      await later(object, 60_000);
      await settled(object);
      expect(await states(object)).toEqual({ "a.fire.1": "sent" });
    });

    it("[A60] it is handed back to the queue, with who refused it and why, until that is confirmed", async () => {
      const object = newObject();
      const queued: unknown[] = [];
      await runInDurableObject<ChannelObject, void>(object, (instance) => {
        const { env } = instance as unknown as { env: { NOTICES: Queue } };
        vi.spyOn(env.NOTICES, "send").mockImplementation(async (body) => {
          queued.push(body);
          if (queued.length === 1) throw new Error("the queue is away");
          return undefined as unknown as QueueSendResponse;
        });
      });
      internet.otherwise = status(422);
      await object.deliver(own, notice("north.7", "fire"));
      await settled(object);
      await vi.waitFor(() => expect(queued).toHaveLength(1));
      await later(object, 60_000);
      await later(object, 59_000);
      const [, channel] = (await runInDurableObject(object, (_, { id }) => id.name))!.split("/");
      const said = { ...{ version: 1, type: "notice", tenant: "acme", zone: "north" }, channels: null };
      const what = { key: "north.7.fire.1", incident: "north.7", kind: "fire" };
      const refusedBy = { channel, at: T0, error: "answered 422" };
      expect(queued).toEqual([
        { ...said, ...what, refusedBy },
        { ...said, ...what, refusedBy },
      ]);
      await object.rerouted("north.7.fire.1");
      await later(object, HOUR_MS);
      expect(queued).toHaveLength(2);
      vi.restoreAllMocks();
    });

    it("[A60] a resolve that is refused goes nowhere else: who was told elsewhere is told there", async () => {
      const object = newObject();
      await object.deliver(own, notice("a", "fire"));
      await settled(object);
      internet.otherwise = status(404);
      await object.deliver(own, notice("a", "resolve"));
      await settled(object);
      expect(await states(object)).toEqual({ "a.fire.1": "sent", "a.resolve.1": "refused" });
      await later(object, 60_000);
      expect(await runInDurableObject(object, (_, { storage }) => storage.getAlarm())).toBeNull();
    });

    it("[A59] a channel that is put right is told what it refused of incidents that are not over, and of no other", async () => {
      const object = newObject();
      internet.otherwise = status(403);
      for (const id of ["a", "b", "c"]) {
        await object.deliver(own, notice(id, "fire"));
        await settled(object);
        if (id === "a") await later(object, DAY_MS + HOUR_MS);
      }
      await object.deliver(own, notice("b", "resolve"));
      internet.otherwise = status(200);
      await object.configure({ ...own, updatedAt: own.updatedAt + 1 });
      await settled(object);
      expect(internet.keys).toEqual(["a.fire.1", "b.fire.1", "c.fire.1", "c.fire.1"]);
      expect((await object.deliveries(1)).counts).toEqual({ refused: 2, dropped: 1, sent: 1, waiting: 0 });
    });
  });

  describe("Alertmanager", () => {
    const target = { type: "alertmanager" as const, url: "https://am.example" };
    const manager = channelOf({ target });
    type Posted = { labels: { device: string }; startsAt: string; endsAt: string };
    let posts: Posted[][];
    let incidents: Record<string, IncidentSnapshot | null>;
    const ends = () =>
      posts.map((post) =>
        post.map(({ labels, endsAt }) => [labels.device, Math.floor((Date.parse(endsAt) - T0) / 1_000)]),
      );

    /** A channel's object whose zones know `incidents`. */
    async function managing(): Promise<ChannelStub> {
      posts = [];
      vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
        expect(url).toBe("https://am.example/api/v2/alerts");
        posts.push(JSON.parse(init.body as string));
        return new Response();
      });
      return newObject();
    }
    const knowing = (object: ChannelStub) =>
      runInDurableObject<ChannelObject, void>(object, (instance) => {
        const { env } = instance as unknown as { env: { ZONE: DurableObjectNamespace } };
        const zone = { incident: async (id: string) => incidents[id] ?? null };
        vi.spyOn(env.ZONE, "getByName").mockReturnValue(zone as unknown as DurableObjectStub);
      });
    const tell = async (object: ChannelStub, id: string, kind: NoticeKind, alerts: Alert[]) => {
      const snapshot = snapshotOf(alerts, { id });
      incidents = { ...incidents, [id]: snapshot };
      await object.deliver(manager, { key: `${id}.${kind}.1`, kind, tenant: "acme", snapshot });
      await settled(object);
    };
    const alarmOf = (object: ChannelStub) =>
      runInDurableObject(object, (_, { storage }) => storage.getAlarm());
    const on = (device: string, state: "firing" | "resolved" = "firing") => {
      const times = { firedAt: T0 - 1_000, ...(state === "resolved" ? { resolvedAt: T0 + 90_000 } : {}) };
      return (state === "resolved" ? resolvedOf : alertOf)({ id: `r.0.1.${device}`, device, ...times });
    };
    beforeEach(() => {
      incidents = {};
    });
    afterEach(() => {
      vi.restoreAllMocks();
    });

    it("[A62] what is active is posted again each minute with a later end, all incidents in one request", async () => {
      const object = await managing();
      await knowing(object);
      await tell(object, "north.1", "fire", [on("a"), on("b")]);
      await tell(object, "south.1", "fire", [on("c")]);
      expect(ends()).toEqual([
        [
          ["a", 300],
          ["b", 300],
        ],
        [["c", 300]],
      ]);
      posts.length = 0;
      for (let minute = 1; minute <= 3; minute++) await later(object, 60_000);
      const all = (s: number) => ["a", "b", "c"].map((device) => [device, s]);
      expect(ends()).toEqual([all(360), all(420), all(480)]);
      expect((await object.deliveries(10)).deliveries).toHaveLength(2);
    });

    it("[A62] a member that ended is posted once more with its end; one nobody was told of is not posted", async () => {
      const object = await managing();
      await knowing(object);
      await tell(object, "north.1", "fire", [on("a"), on("b")]);
      incidents["north.1"] = snapshotOf([on("a"), on("b", "resolved"), on("late")], { id: "north.1" });
      posts.length = 0;
      await later(object, 60_000);
      await later(object, 60_000);
      expect(ends()).toEqual([
        [
          ["a", 360],
          ["b", 90],
        ],
        [["a", 420]],
      ]);
    });

    it("[A62] without anything active there is no alarm: after the resolve, and when the zone has forgotten", async () => {
      const object = await managing();
      await knowing(object);
      expect(await alarmOf(object)).toBeNull();
      await tell(object, "north.1", "fire", [on("a")]);
      expect(await alarmOf(object)).toBeLessThanOrEqual(Date.now() + 60_000);
      await tell(object, "north.1", "resolve", [on("a", "resolved")]);
      posts.length = 0;
      await later(object, 60_000);
      expect([posts, await alarmOf(object)]).toEqual([[], null]);
      await tell(object, "north.2", "fire", [on("a")]);
      incidents["north.2"] = null;
      posts.length = 0;
      await later(object, 60_000);
      await later(object, 60_000);
      expect([posts, await alarmOf(object)]).toEqual([[], null]);
    });

    it("[A62] an object that slept posts when its alarm wakes it; other kinds of channels have no alarm", async () => {
      const object = await managing();
      await knowing(object);
      await tell(object, "north.1", "fire", [on("a")]);
      await evictDurableObject(object);
      await knowing(object);
      posts.length = 0;
      await later(object, 60_000);
      expect(ends()).toEqual([[["a", 360]]]);
      expect(await alarmOf(object)).toBe(Date.now() + 60_000);
      vi.stubGlobal("fetch", internet.fetch);
      const other = newObject();
      await other.deliver(own, notice("a", "fire"));
      await settled(other);
      await later(other, 60_000);
      expect(await alarmOf(other)).toBeNull();
    });

    it("[A80] a warning about a limit of the tenant is posted again too, and then its end", async () => {
      const object = await managing();
      const use = { used: 9, isRefused: false, most: 10 };
      await changeSettings(TENANT, "acme", { limits: { viewers: 10 } });
      await tellUse(TENANT, "acme", "viewers", use);
      const id = `~limits.viewers-${T0}`;
      const tellLimit = async (kind: NoticeKind) => {
        const snapshot = (await warningsOf(TENANT, "acme").incident(id))!;
        await object.deliver(manager, { key: `${id}.${kind}.1`, kind, tenant: "acme", snapshot });
        await settled(object);
      };
      await tellLimit("fire");
      await later(object, 60_000);
      expect(ends()).toEqual([[["acme", 300]], [["acme", 360]]]);
      await changeSettings(TENANT, "acme", { limits: { viewers: null } });
      vi.setSystemTime(Date.now() + 5_000);
      await runDurableObjectAlarm(TENANT.get(TENANT.idFromName("tenant/acme")));
      await tellLimit("resolve");
      expect(ends().at(-1)).toEqual([["acme", 65]]);
      await later(object, 60_000);
      expect(posts).toHaveLength(3);
    });

    it("[A62] [A30] posts are not counted against the budget, and one that fails is tried a minute later", async () => {
      const object = await managing();
      await knowing(object);
      const tight = channelOf({ target, perHourMax: 1 });
      const rule = { severity: "warning" as const };
      const alert = { ...on("a"), rule: { ...on("a").rule, ...rule } };
      const snapshot = snapshotOf([alert], { id: "north.1" });
      incidents["north.1"] = snapshot;
      await object.deliver(tight, { key: "north.1.fire.1", kind: "fire", tenant: "acme", snapshot });
      await settled(object);
      for (let minute = 1; minute <= 70; minute++) await later(object, 60_000);
      expect(posts).toHaveLength(71);
      vi.stubGlobal("fetch", async () => new Response("", { status: 500 }));
      await later(object, 60_000);
      expect(await alarmOf(object)).toBe(Date.now() + 60_000);
      await object.deliver(tight, { key: "north.1.escalate.1", kind: "escalate", tenant: "acme", snapshot });
      expect((await object.deliveries(1)).deliveries[0]).toMatchObject({ state: "waiting" });
    });

    it("[A62] thousands are posted a thousand at a time", async () => {
      const object = await managing();
      await knowing(object);
      await tell(
        object,
        "north.1",
        "fire",
        Array.from({ length: 1_200 }, (_, i) => on(`d${i}`)),
      );
      posts.length = 0;
      await later(object, 60_000);
      expect(posts.map((post) => post.length)).toEqual([1_000, 200]);
    });
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
