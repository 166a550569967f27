import { env } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  alertOf,
  channelOf,
  resolvedOf,
  silenceOf,
  snapshotOf,
} from "../../../core/alert/deliver/fake-notice.ts";
import { withRefusal } from "../../../core/alert/refusal.ts";
import type {
  EventsMessage,
  Incident,
  IncidentSnapshot,
  NoticeMessage,
  Refusal,
  Rule,
} from "../../../schemas/alert.ts";
import { type Channel, type Silence, weeklyHours } from "../../../schemas/channel.ts";
import type { ChannelNotice, NoticeReceipt } from "../../../schemas/message.ts";
import type { AggregateEnv } from "../env.ts";
import { consumeNotices } from "./consume-notices.ts";

let tenants = 0;

/** Messages of a batch by their index: done with, or to come again in so many seconds. */
interface Consumed {
  acks: number[];
  retries: [index: number, seconds: number | undefined][];
}

/** A tenant of its own, with a zone and channels that keep what they are told. */
class Stage {
  readonly tenant = `notices-${++tenants}`;
  readonly told: NoticeReceipt[] = [];
  readonly handed: [channel: string, notice: ChannelNotice][] = [];
  readonly failing = new Set<string>();
  readonly refused: Refusal[] = [];
  readonly rerouted: [channel: string, key: string][] = [];
  snapshot: IncidentSnapshot | null = snapshotOf([alertOf()]);
  database: Pick<D1Database, "prepare" | "batch"> = env.CONTROL;

  async has(channels: Channel[], silences: Silence[] = []): Promise<this> {
    const insert = (table: string, { id, ...body }: { id: string }) =>
      env.CONTROL.prepare(`INSERT INTO ${table} (tenant, id, body) VALUES (?, ?, ?)`).bind(
        ...[this.tenant, id, JSON.stringify({ id, ...body })],
      );
    await env.CONTROL.batch([
      ...channels.map((own) => insert("channel", own)),
      ...silences.map((own) => insert("silence", own)),
    ]);
    return this;
  }

  notice(change: Partial<NoticeMessage> = {}): NoticeMessage {
    return {
      ...{ version: 1, type: "notice", tenant: this.tenant, zone: "north", key: "north.7.fire.1" },
      ...{ incident: "north.7", kind: "fire", channels: null },
      ...change,
    };
  }

  async consume(...bodies: unknown[]): Promise<Consumed> {
    const acks: number[] = [];
    const retries: Consumed["retries"] = [];
    const messages = bodies.map((body, index) => ({
      ...{ id: String(index), timestamp: new Date(), attempts: 3, body },
      ack: () => acks.push(index),
      retry: ({ delaySeconds }: QueueRetryOptions) => retries.push([index, delaySeconds]),
    }));
    const zone = {
      incident: async () => this.snapshot,
      told: async (receipts: NoticeReceipt[]) => void this.told.push(...receipts),
      refused: async (_: string, refusal: Refusal) => {
        this.refused.push(refusal);
        if (this.snapshot === null) return null;
        const incident = withRefusal(this.snapshot.incident, refusal);
        this.snapshot = { ...this.snapshot, incident };
        return this.snapshot;
      },
    };
    const channel = (name: string) => ({
      deliver: async ({ id }: Channel, notice: ChannelNotice) => {
        expect(name).toBe(`${this.tenant}/${id}`);
        if (this.failing.has(id)) throw new Error(`${id} is away`);
        this.handed.push([id, notice]);
      },
      rerouted: async (key: string) => void this.rerouted.push([name.split("/")[1]!, key]),
    });
    const named = (name: string) => {
      expect(name).toBe(`${this.tenant}/north`);
      return zone;
    };
    const bindings = { CONTROL: this.database, ZONE: { getByName: named }, CHANNEL: { getByName: channel } };
    const batch = { queue: "telltale-notices", messages } as unknown as MessageBatch<unknown>;
    await consumeNotices(batch, bindings as unknown as AggregateEnv);
    return { acks: acks.sort(), retries };
  }
}

afterEach(() => {
  vi.restoreAllMocks();
});

const log = (level: "error" | "warn") => vi.spyOn(console, level).mockImplementation(() => undefined);

describe("notices", () => {
  it("[A28] a fire is handed to the channels that take it, with its members, and the zone is told", async () => {
    const stage = await new Stage().has([
      channelOf({ id: "all" }),
      channelOf({ id: "south", route: { zones: ["south"] } }),
      channelOf({ id: "off", enabled: false }),
    ]);
    expect(await stage.consume(stage.notice())).toEqual({ acks: [0], retries: [] });
    const { tenant, snapshot } = stage;
    expect(stage.handed).toEqual([["all", { key: "north.7.fire.1", kind: "fire", tenant, snapshot }]]);
    expect(stage.told).toEqual([{ key: "north.7.fire.1", deferUntilMs: null }]);
  });

  it("[A28] a rule's channels, those of a step; unknown ones are said and keep nobody from being told", async () => {
    const warn = log("warn");
    const stage = await new Stage().has([channelOf({ id: "one" }), channelOf({ id: "two" })]);
    stage.snapshot = snapshotOf([alertOf({ rule: { channels: ["one", "gone"] } })]);
    await stage.consume(stage.notice());
    await stage.consume(stage.notice({ kind: "escalate", channels: ["two"] }));
    expect(stage.handed.map(([id]) => id)).toEqual(["one", "two"]);
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      expect.any(String),
      expect.objectContaining({ channels: ["gone"] }),
    );
  });

  it("[A28] a critical alert that no channel takes is in the log", async () => {
    const warn = log("warn");
    const stage = new Stage();
    expect(await stage.consume(stage.notice())).toEqual({ acks: [0], retries: [] });
    expect(warn).toHaveBeenCalledOnce();
    stage.snapshot = snapshotOf([alertOf({ rule: { severity: "warning" } })]);
    await stage.consume(stage.notice());
    expect(warn).toHaveBeenCalledOnce();
  });

  it("[A28] what no channel takes at this hour waits for the first that does; one that takes it at any hour is told at once", async () => {
    const minutes = Math.floor(Date.now() / 60_000) + 10; // ten minutes on, whatever the time is
    const timeOf = (minute: number) => new Date(minute * 60_000).toISOString().slice(11, 16);
    const hours = [weeklyHours.parse({ from: timeOf(minutes), to: timeOf(minutes + 60) })];
    const later = [weeklyHours.parse({ from: timeOf(minutes + 60), to: timeOf(minutes + 120) })];
    const closed = [
      channelOf({ id: "later", route: { hours: later } }),
      channelOf({ id: "first", route: { hours } }),
      channelOf({ id: "south", route: { hours, zones: ["south"] } }),
    ];
    const stage = await new Stage().has(closed);
    await stage.consume(stage.notice());
    expect(stage.handed).toEqual([]);
    expect(stage.told).toEqual([{ key: "north.7.fire.1", deferUntilMs: minutes * 60_000 }]);
    const open = await new Stage().has([...closed, channelOf({ id: "always" })]);
    await open.consume(open.notice());
    expect(open.handed.map(([id]) => id)).toEqual(["always"]);
  });

  it("[A29] what is silenced is held until it may be told; a resolve is not", async () => {
    const endsAt = Date.now() + 600_000;
    const silence = silenceOf({ startsAt: 0, endsAt, matcher: { device: "pump-1" } });
    const stage = await new Stage().has([channelOf()], [silence]);
    for (const kind of ["fire", "update", "escalate"] as const) await stage.consume(stage.notice({ kind }));
    expect(stage.handed).toEqual([]);
    expect(stage.told).toEqual(Array(3).fill({ key: "north.7.fire.1", deferUntilMs: endsAt }));
    stage.snapshot = snapshotOf([resolvedOf()]);
    await stage.consume(stage.notice({ kind: "resolve" }));
    expect(stage.handed.map(([, { kind }]) => kind)).toEqual(["resolve"]);
    stage.snapshot = snapshotOf([alertOf(), alertOf({ device: "pump-2" })]);
    await stage.consume(stage.notice());
    expect(stage.handed.map(([, { kind }]) => kind)).toEqual(["resolve", "fire"]);
  });

  it.each<["fire" | "update" | "escalate" | "resolve", Incident["state"], boolean]>([
    ["fire", "firing", true],
    ["fire", "acknowledged", true],
    ["fire", "resolved", true],
    ["update", "acknowledged", true],
    ["update", "resolved", false],
    ["escalate", "firing", true],
    ["escalate", "acknowledged", false],
    ["escalate", "resolved", false],
    ["resolve", "resolved", true],
  ])("[A25] [A27] %s of an incident that is %s meanwhile: told %s", async (kind, state, isHanded) => {
    const stage = await new Stage().has([channelOf()]);
    stage.snapshot = snapshotOf([alertOf()], { state });
    expect(await stage.consume(stage.notice({ kind }))).toEqual({ acks: [0], retries: [] });
    expect(stage.handed).toHaveLength(isHanded ? 1 : 0);
    expect(stage.told).toHaveLength(1);
  });

  it("an incident that the zone does not know is done with", async () => {
    const stage = await new Stage().has([channelOf()]);
    stage.snapshot = null;
    expect(await stage.consume(stage.notice())).toEqual({ acks: [0], retries: [] });
    expect([stage.handed, stage.told.length]).toEqual([[], 1]);
  });

  it("[A33] one channel's object that fails keeps no other from being told; the message comes again", async () => {
    log("error");
    const stage = await new Stage().has([channelOf({ id: "bad" }), channelOf({ id: "good" })]);
    stage.failing.add("bad");
    expect(await stage.consume(stage.notice())).toEqual({ acks: [], retries: [[0, 4]] });
    expect([stage.handed.map(([id]) => id), stage.told]).toEqual([["good"], []]);
    stage.failing.clear();
    expect(await stage.consume(stage.notice())).toEqual({ acks: [0], retries: [] });
    expect(stage.handed.map(([id]) => id)).toEqual(["good", "bad", "good"]);
  });

  it("[A33] a database that is away keeps nobody from being told whose channels are known; else the message waits", async () => {
    const error = log("error");
    const known = await new Stage().has([channelOf()]);
    await known.consume(known.notice());
    const away = {
      prepare: () => ({ bind: () => undefined }),
      batch: () => Promise.reject(new Error("away")),
    };
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
    known.database = away as unknown as D1Database;
    expect(await known.consume(known.notice())).toEqual({ acks: [0], retries: [] });
    expect(known.handed).toHaveLength(2);
    const unknown = new Stage();
    unknown.database = known.database;
    expect(await unknown.consume(unknown.notice())).toEqual({ acks: [], retries: [[0, 4]] });
    vi.useRealTimers();
    expect(error).toHaveBeenCalled();
  });

  it("[A33] a channel that cannot be read keeps no other from being told", async () => {
    const error = log("error");
    const stage = await new Stage().has([channelOf({ id: "good" }), { id: "odd" } as Channel]);
    await stage.consume(stage.notice());
    expect(stage.handed.map(([id]) => id)).toEqual(["good"]);
    expect(error).toHaveBeenCalledOnce();
  });

  it("what is no notice is dropped, and keeps no other from being handled", async () => {
    const error = log("error");
    const stage = await new Stage().has([channelOf()]);
    const odd = [null, 7, {}, { ...stage.notice(), version: 2 }, { ...stage.notice(), kind: "shout" }];
    expect(await stage.consume(...odd, stage.notice())).toEqual({ acks: [0, 1, 2, 3, 4, 5], retries: [] });
    expect(stage.handed).toHaveLength(1);
    expect(error).toHaveBeenCalledTimes(5);
  });
});

describe("a notice that a channel could not deliver", () => {
  const refusedBy = (channel: string) => ({ channel, at: 1_000, error: "answered 422: odd" });
  const cases: [string, channels: Channel[], rule: Partial<Rule>, refused: string[], instead: string[][]][] =
    [
      [
        "the rule's other channels, who have it",
        [channelOf({ id: "mail" }), channelOf({ id: "ops" }), channelOf({ id: "else" })],
        { channels: ["mail", "ops"] },
        ["mail"],
        [["ops"]],
      ],
      [
        "the tenant's others, when each of the rule's refuses it",
        [channelOf({ id: "mail" }), channelOf({ id: "ops" }), channelOf({ id: "else" })],
        { channels: ["mail", "ops"], severity: "warning" },
        ["mail", "ops"],
        [["ops"], ["else"]],
      ],
      [
        "of the tenant's others those whose route takes it",
        [
          channelOf({ id: "mail" }),
          channelOf({ id: "south", route: { zones: ["south"] } }),
          channelOf({ id: "else" }),
        ],
        { channels: ["mail"] },
        ["mail"],
        [["else"]],
      ],
      [
        "any other, when it is critical and no route takes it",
        [
          channelOf({ id: "mail" }),
          channelOf({ id: "south", route: { zones: ["south"] } }),
          channelOf({ id: "off", enabled: false }),
        ],
        { channels: ["mail"] },
        ["mail"],
        [["south"]],
      ],
      [
        "nobody, when it is not critical and no route takes it",
        [channelOf({ id: "mail" }), channelOf({ id: "south", route: { zones: ["south"] } })],
        { channels: ["mail"], severity: "warning" },
        ["mail"],
        [[]],
      ],
      ["nobody, when there is no other", [channelOf({ id: "mail" })], {}, ["mail"], [[]]],
    ];
  it.each(cases)("[A60] goes to %s", async (_, channels, rule, refused, instead) => {
    log("error");
    const stage = await new Stage().has(channels);
    stage.snapshot = snapshotOf([alertOf({ rule })]);
    for (const channel of refused) {
      const message = stage.notice({ refusedBy: refusedBy(channel) });
      expect(await stage.consume(message)).toEqual({ acks: [0], retries: [] });
    }
    expect(stage.handed.map(([id]) => id)).toEqual(instead.flat());
    expect(stage.handed.every(([, { key, kind }]) => key === "north.7.fire.1" && kind === "fire")).toBe(true);
    expect(stage.rerouted).toEqual(refused.map((channel) => [channel, "north.7.fire.1"]));
    expect(stage.told).toEqual([]); // the zone's outbox has it from the first handing on
    expect(stage.snapshot.incident.refusals).toEqual(
      refused.map((channel, i) => ({
        ...{ key: "north.7.fire.1", kind: "fire", ...refusedBy(channel) },
        instead: instead[i],
      })),
    );
  });

  it("[A60] however often it comes; one whose incident is forgotten, or that is pointless by now, is done with", async () => {
    log("error");
    const stage = await new Stage().has([channelOf({ id: "mail" }), channelOf({ id: "ops" })]);
    stage.snapshot = snapshotOf([alertOf()]);
    const message = stage.notice({ refusedBy: refusedBy("mail") });
    stage.failing.add("ops");
    expect(await stage.consume(message)).toEqual({ acks: [], retries: [[0, 4]] });
    expect(stage.rerouted).toEqual([]);
    stage.failing.clear();
    await stage.consume(message);
    await stage.consume(message);
    expect(stage.snapshot.incident.refusals).toHaveLength(1);
    expect(stage.snapshot.incident.revision).toBe(3);
    const handed = stage.handed.length;
    stage.snapshot = snapshotOf([resolvedOf()]);
    const update = stage.notice({ kind: "update", refusedBy: refusedBy("mail") });
    expect(await stage.consume(update)).toEqual({ acks: [0], retries: [] });
    stage.snapshot = null;
    expect(await stage.consume(message)).toEqual({ acks: [0], retries: [] });
    expect([stage.handed.length, stage.rerouted.length]).toEqual([handed, 4]);
  });
});

describe("events", () => {
  const event = (
    alert: EventsMessage["events"][number]["alert"],
    kind: "fired" | "acknowledged" | "resolved",
  ) => ({
    ...{ kind, at: alert.firedAt + alert.revision, by: kind === "acknowledged" ? "ann" : null },
    ...{ text: kind === "acknowledged" ? "on it" : null, incident: "north.7", alert },
  });
  const [pump1, pump2] = ["pump-1", "pump-2"].map((device) => {
    const own = { device, id: `too-hot.0.1.${device}` };
    return [
      event(alertOf(own), "fired"),
      event(alertOf({ ...own, revision: 2, state: "acknowledged", acknowledgedBy: "ann" }), "acknowledged"),
      event(resolvedOf({ ...own, revision: 3 }), "resolved"),
    ];
  });
  const incidentAt = (revision: number, state: Incident["state"]) =>
    snapshotOf([alertOf()], { revision, state, members: 2 }).incident;

  const inD1 = async (tenant: string) => {
    const all = (table: string, order: string) =>
      env.CONTROL.prepare(`SELECT * FROM ${table} WHERE tenant = ? ORDER BY ${order}`).bind(tenant).all();
    const [incidents, alerts, events] = await Promise.all([
      all("incident", "id"),
      all("alert", "id"),
      all("alert_event", "alert, revision"),
    ]);
    const own = [incidents, alerts, events].map(({ results }) =>
      results.map(({ tenant: _tenant, ...row }) =>
        "body" in row ? { ...row, body: JSON.parse(row.body as string) } : row,
      ),
    );
    return { incidents: own[0]!, alerts: own[1]!, events: own[2]! };
  };

  const messagesOf = ({ tenant }: Stage): EventsMessage[] =>
    [
      { events: [pump1![0]!], incidents: [incidentAt(1, "firing")] },
      { events: [pump2![0]!, pump1![1]!, pump1![2]!], incidents: [incidentAt(4, "acknowledged")] },
      { events: [pump2![1]!, pump2![2]!], incidents: [incidentAt(6, "resolved")] },
    ].map((own, i) => ({ version: 1, type: "events", tenant, zone: "north", key: `events.${i}`, ...own }));

  it("[A38] [A39] D1 has incidents and alerts as they are last, and every event once, in whatever order they come", async () => {
    const straight = new Stage();
    const answer = await straight.consume(...messagesOf(straight));
    expect(answer).toEqual({ acks: [0, 1, 2], retries: [] });
    expect(straight.told.map(({ key }) => key).sort()).toEqual(["events.0", "events.1", "events.2"]);
    const found = await inD1(straight.tenant);
    expect(found.incidents).toEqual([
      {
        ...{ id: "north.7", zone: "north", state: "resolved", opened_at: alertOf().firedAt, revision: 6 },
        ...{ nameless: 0, body: incidentAt(6, "resolved") },
      },
    ]);
    expect(found.alerts).toEqual(
      [pump1![2]!.alert, pump2![2]!.alert].map((alert) => ({
        ...{ id: alert.id, incident: "north.7", device: alert.device, zone: "north", rule: "too-hot" },
        ...{ severity: "critical", state: "resolved", fired_at: alert.firedAt, revision: 3, body: alert },
      })),
    );
    expect(found.events).toEqual(
      [...pump1!, ...pump2!].map(({ alert, kind, at, by, text }) => ({
        ...{ alert: alert.id, revision: alert.revision, kind, at, by, text },
      })),
    );
    const orders = [
      [2, 1, 0],
      [1, 0, 2],
      [0, 2, 1, 0, 2],
    ];
    for (const order of orders) {
      const other = new Stage();
      for (const i of order) await other.consume(messagesOf(other)[i]);
      expect(await inD1(other.tenant)).toEqual(found);
    }
  });

  it("[A39] what D1 does not take comes again, and the zone is not told", async () => {
    log("error");
    const stage = new Stage();
    const away = {
      prepare: () => ({ bind: () => undefined }),
      batch: () => Promise.reject(new Error("away")),
    };
    stage.database = away as unknown as D1Database;
    expect(await stage.consume(messagesOf(stage)[0])).toEqual({ acks: [], retries: [[0, 4]] });
    expect(stage.told).toEqual([]);
  });
});
