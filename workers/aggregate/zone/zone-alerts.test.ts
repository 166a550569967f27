import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import {
  acknowledged,
  commented,
  fired,
  firing,
  resolved,
  silent,
  T0,
} from "../../../core/alert/incident-test-support.ts";
import { type AlertEvent, queuedNotice } from "../../../schemas/alert.ts";
import type { ZoneObject } from "./zone-object.ts";
import { alertRows, KeptNotices, type ZoneStub, zoneOf } from "./zone-test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

const S = 1_000;
const MINUTE = 60 * S;
const HOUR = 60 * MINUTE;
/** Far enough ahead that no alarm rings by itself. */
const START = Date.now() + 100 * 24 * HOUR;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: START });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const at = (ms: number) => vi.setSystemTime(START + ms);
const range = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Tells a zone, and waits until it has said to the queue what it has to say. */
async function tell(zone: ZoneStub, ...events: AlertEvent[]): Promise<void> {
  await zone.alerts(events);
  await settled(zone);
}

/** Nothing is on its way to the queue. */
const settled = (zone: ZoneStub) =>
  vi.waitFor(async () => {
    const due = await runInDurableObject(zone, (_, { storage: { sql } }) =>
      sql
        .exec<{ rows: number }>("SELECT count(*) AS rows FROM outbox WHERE attempts = 0 AND is_deferred = 0")
        .one(),
    );
    expect(due.rows).toBe(0);
  });

const alarmOf = (zone: ZoneStub) => runInDurableObject(zone, (_, { storage }) => storage.getAlarm());

const ring = async (zone: ZoneStub, ms: number) => {
  at(ms);
  return await runDurableObjectAlarm(zone);
};

it("[A21] [A24] the first event leaves at once with its message, and what is told again is taken once", async () => {
  const zone = zoneOf("once");
  const queue = await new KeptNotices().into(zone);
  const alert = firing("d1");
  const ack = acknowledged(alert, S);
  await tell(zone, fired(alert));
  await tell(zone, fired(alert));
  await tell(zone, fired(alert), ack);
  expect(queue.notices()).toEqual(["north.1.fire.0"]);
  expect(queue.events()).toEqual([`${alert.id} 1`, `${alert.id} 2`]);
  expect(queue.sent[0]).toMatchObject({
    tenant: "once",
    zone: "north",
    kind: "fire",
    incident: "north.1",
    channels: null,
  });
  for (const message of queue.sent) expect(queuedNotice.safeParse(message).error).toBeUndefined();
  expect(await zone.incident("north.1")).toEqual({
    incident: expect.objectContaining({ id: "north.1", state: "acknowledged", members: 1, active: 1 }),
    alerts: [ack.alert],
  });
  expect(await zone.incident("north.2")).toBeNull();
});

it("[A60] what a channel could not deliver is in the incident once, and D1 hears of it", async () => {
  const zone = zoneOf("refused");
  const queue = await new KeptNotices().into(zone);
  const alert = firing("d1");
  await tell(zone, fired(alert));
  const { incident: before } = (await zone.incident("north.1"))!;
  const refusal = {
    ...{ key: "north.1.fire.0", kind: "fire" as const, channel: "mail", at: START, error: "answered 422" },
    instead: null,
  };
  const known = { ...refusal, instead: ["ops"] };
  expect((await zone.refused("north.1", refusal))!.incident.refusals).toEqual([refusal]);
  await zone.refused("north.1", refusal);
  expect((await zone.refused("north.1", known))!.incident.refusals).toEqual([known]);
  await zone.refused("north.1", { ...refusal, at: START + 1 });
  await settled(zone);
  const told = queue.sent.flatMap((message) => (message.type === "events" ? message.incidents : []));
  expect(told.at(-1)).toEqual({ ...before, revision: before.revision + 2, refusals: [known] });
  for (const message of queue.sent) expect(queuedNotice.safeParse(message).error).toBeUndefined();
  await tell(zone, resolved(alert, S));
  expect((await zone.incident("north.1"))!.incident).toMatchObject({ state: "resolved", refusals: [known] });
  expect(await zone.refused("north.9", refusal)).toBeNull();
  expect(await zoneOf("refused-never").refused("north.1", refusal)).toBeNull();
});

it("[A21] an object that is merely asked leaves no trace", async () => {
  const zone = zoneOf("asked");
  expect(await zone.incident("north.1")).toBeNull();
  await zone.told([{ key: "north.1.fire.0", deferUntilMs: null }]);
  await zone.release();
  await zone.alerts([]);
  expect(await alertRows(zone)).toEqual({});
  expect(await runDurableObjectAlarm(zone)).toBe(false);
});

it("[A31] what is not confirmed is sent again with the same key, at doubling distance, and what is confirmed is not", async () => {
  const zone = zoneOf("again");
  const queue = await new KeptNotices().into(zone);
  await tell(zone, fired(firing("d1")));
  const sentAt: number[] = [];
  for (let ms = 0; ms < 2 * HOUR; ) {
    const before = queue.notices().length;
    ms = (await alarmOf(zone))! - START;
    await ring(zone, ms);
    if (queue.notices().length > before) sentAt.push(ms / S);
  }
  expect(sentAt).toEqual([30, 90, 210, 450, 930, 1890, 3810, 7410]);
  expect(new Set(queue.notices())).toEqual(new Set(["north.1.fire.0"]));
  expect(new Set(queue.events())).toEqual(new Set(["hot.0.1.d1 1"]));
  await zone.told(queue.receipts());
  const sent = queue.sent.length;
  for (let hour = 3; hour < 9; hour++) await ring(zone, hour * HOUR);
  expect(queue.sent).toHaveLength(sent);
  expect(await alertRows(zone)).toEqual({ alert: 1, incident: 1, news: 0, outbox: 0 });
  expect(await runDurableObjectAlarm(zone)).toBe(false);
});

it("[A21] [A24] a queue that refuses delays, and loses nothing: all is in a few messages when it takes again", async () => {
  const zone = zoneOf("refusing");
  const queue = await new KeptNotices().into(zone);
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  queue.refusing = true;
  const alerts = range(100).map((i) => firing(`d${i}`));
  for (const alert of alerts) await zone.alerts([fired(alert)]);
  expect(await ring(zone, 2 * S)).toBe(true);
  expect(queue.sent).toEqual([]);
  queue.refusing = false;
  expect(await ring(zone, MINUTE)).toBe(true);
  expect(queue.notices()).toEqual(["north.1.fire.0", "north.1.update.0"]);
  expect(queue.events()).toEqual(alerts.map(({ id }) => `${id} 1`));
  expect(queue.sent.length).toBeLessThanOrEqual(2 + 4);
});

it("[A29] what a silence holds is told when it ends, or is lifted, and not at all when it is over before", async () => {
  const zone = zoneOf("held");
  const queue = await new KeptNotices().into(zone);
  const alerts = range(3).map((i) => firing(`d${i}`, 0, { rule: { groupWithinMs: 0 } }));
  const keyOf = (n: number) => `north.${n}.fire.0`;
  const hold = (ms: number, ...incidents: number[]) =>
    zone.told(incidents.map((n) => ({ key: keyOf(n), deferUntilMs: START + ms })));
  const done = () => zone.told(queue.receipts().filter(({ key }) => !key.includes(".fire.")));

  await tell(zone, ...alerts.map(fired));
  expect(queue.notices()).toEqual([1, 2, 3].map(keyOf));
  await hold(HOUR, 1, 2, 3);
  for (let ms = 30 * S; ms < HOUR; ms += MINUTE) await ring(zone, ms);
  expect(queue.notices().slice(3)).toEqual([]);
  await tell(zone, resolved(alerts[0]!, 30 * MINUTE));
  await done();
  await ring(zone, HOUR);
  expect(queue.notices().slice(3)).toEqual(["north.1.resolve.0", keyOf(2), keyOf(3)]);

  // A receipt that comes when the incident is over holds nothing.
  await tell(zone, resolved(alerts[1]!, HOUR));
  await done();
  await hold(2 * HOUR, 2, 3);
  expect(queue.notices().slice(6)).toEqual(["north.2.resolve.0"]);
  await zone.release();
  expect(queue.notices().slice(7)).toEqual([keyOf(3)]);
});

it("[A24] [A27] [A29] what a silence held is one message when it ends, and its escalation counts from then", async () => {
  const zone = zoneOf("held-steps");
  const queue = await new KeptNotices().into(zone);
  const escalation = [
    { afterMs: 10 * MINUTE, channels: null },
    { afterMs: 20 * MINUTE, channels: null },
  ];
  const hot = (device: string, ms: number) => firing(device, ms, { rule: { escalation } });
  const done = () => zone.told(queue.receipts().filter(({ key }) => !key.includes(".fire.")));
  const play = async (fromMs: number, toMs: number) => {
    for (let ms = fromMs; ms < toMs; ms += 30 * S) {
      await ring(zone, ms);
      await done();
    }
  };
  await tell(zone, fired(hot("d1", 0)));
  await zone.told([{ key: "north.1.fire.0", deferUntilMs: START + HOUR }]);
  at(30 * S);
  await tell(zone, fired(hot("d2", 30 * S)));
  await play(MINUTE, HOUR);
  expect(queue.notices()).toEqual(["north.1.fire.0"]);
  await ring(zone, HOUR);
  expect(queue.notices()).toEqual(["north.1.fire.0", "north.1.fire.0"]);
  await zone.told([{ key: "north.1.fire.0", deferUntilMs: null }]);
  await play(HOUR, HOUR + 10 * MINUTE);
  expect(queue.notices().slice(2)).toEqual([]);
  await play(HOUR + 10 * MINUTE, HOUR + 15 * MINUTE);
  expect(queue.notices().slice(2)).toEqual(["north.1.escalate.0"]);
});

it("[A27] [A29] a silence that is lifted early: the escalation counts from when people were told", async () => {
  const zone = zoneOf("lifted-steps");
  const queue = await new KeptNotices().into(zone);
  const escalation = [{ afterMs: 10 * MINUTE, channels: null }];
  await tell(zone, fired(firing("d1", 0, { rule: { escalation } })));
  await zone.told([{ key: "north.1.fire.0", deferUntilMs: START + HOUR }]);
  at(5 * MINUTE);
  await zone.release();
  await zone.told([{ key: "north.1.fire.0", deferUntilMs: null }]);
  await ring(zone, 14 * MINUTE);
  expect(queue.notices().filter((key) => key.includes("escalate"))).toEqual([]);
  await ring(zone, 15 * MINUTE);
  expect(queue.notices().filter((key) => key.includes("escalate"))).toEqual(["north.1.escalate.0"]);
});

it("[A24] [A29] of the updates that a silence holds one is told when it ends", async () => {
  const zone = zoneOf("held-updates");
  const queue = await new KeptNotices().into(zone);
  await tell(zone, fired(firing("d0")));
  await zone.told(queue.receipts());
  for (let i = 1; i <= 3; i++) {
    at(i * 10 * MINUTE);
    const grouped = { rule: { groupWithinMs: HOUR } };
    await tell(zone, fired(firing(`d${i}`, i * 10 * MINUTE, grouped)));
    await ring(zone, i * 10 * MINUTE + 30 * S);
    await zone.told([{ key: `north.1.update.${i - 1}`, deferUntilMs: START + HOUR }]);
  }
  const before = queue.notices().length;
  await ring(zone, HOUR);
  expect(queue.notices().slice(before)).toEqual(["north.1.update.2"]);
});

it("[A29] a silence that ended by the clock of whoever says so is not asked about again and again", async () => {
  const zone = zoneOf("held-past");
  const queue = await new KeptNotices().into(zone);
  await tell(zone, fired(firing("d1")));
  await zone.told([{ key: "north.1.fire.0", deferUntilMs: START - 10 * S }]);
  await ring(zone, 0);
  expect(queue.notices()).toEqual(["north.1.fire.0"]);
  await ring(zone, 2 * S);
  expect(queue.notices()).toEqual(["north.1.fire.0", "north.1.fire.0"]);
});

it("[A25] an incident that is over can be asked for until an hour after its last message was confirmed", async () => {
  const zone = zoneOf("gone");
  const queue = await new KeptNotices().into(zone);
  const alert = firing("d1");
  const end = resolved(alert, S);
  await tell(zone, fired(alert), end);
  await ring(zone, 2 * HOUR);
  expect(await zone.incident("north.1")).toMatchObject({
    incident: { state: "resolved" },
    alerts: [end.alert],
  });
  await zone.told(queue.receipts());
  await ring(zone, 2 * HOUR + 59 * MINUTE);
  // Somebody has one more thing to say: the hour begins anew.
  await tell(zone, commented(end.alert, 2 * HOUR));
  await ring(zone, 3 * HOUR + MINUTE);
  expect(await zone.incident("north.1")).toMatchObject({ alerts: [{ revision: 3 }] });
  await zone.told(queue.receipts());
  await ring(zone, 4 * HOUR + 2 * MINUTE);
  expect(await zone.incident("north.1")).toBeNull();
  expect(await alertRows(zone)).toEqual({ alert: 0, incident: 0, news: 0, outbox: 0 });
  expect(await runDurableObjectAlarm(zone)).toBe(false);
  // Its number is not given again.
  await tell(zone, fired(firing("d1", 5 * HOUR, { id: "hot.0.2.d1" })));
  expect([...new Set(queue.notices())]).toEqual(["north.1.fire.0", "north.1.resolve.0", "north.2.fire.0"]);
});

type Step = [ms: number, events: AlertEvent[] | "alarm"];
const gateway = silent("gw", 20 * S);
const behind = [silent("d1", 17 * S, "gw"), silent("d2", 60 * S, "gw")];
const escalating = { rule: { escalation: [{ afterMs: 2 * MINUTE, channels: ["boss"] }] } };
const hot = range(3).map((i) => firing(`h${i}`, i * S, escalating));
const LIFE: Step[] = [
  ...hot.map((alert, i): Step => [i * S, [fired(alert)]]),
  [12 * S, "alarm"],
  [17 * S, [fired(behind[0]!)]],
  [20 * S, [fired(gateway)]],
  [60 * S, [fired(behind[1]!)]],
  [2 * MINUTE, "alarm"],
  [3 * MINUTE, [acknowledged(hot[0]!, 3 * MINUTE)]],
  [4 * MINUTE, [resolved(gateway, 4 * MINUTE), resolved(hot[1]!, 4 * MINUTE)]],
  [5 * MINUTE, "alarm"],
  [10 * MINUTE, [resolved(behind[0]!, 10 * MINUTE), resolved(hot[2]!, 10 * MINUTE)]],
  [11 * MINUTE, "alarm"],
  [
    12 * MINUTE,
    [resolved(acknowledged(hot[0]!, 3 * MINUTE).alert, 12 * MINUTE), resolved(behind[1]!, 12 * MINUTE)],
  ],
];

it("[A20] [A21] [A23] [A26] evicted between any two steps, and told everything twice, a zone says the same", async () => {
  const live = async (tenant: string, isUnlucky: boolean) => {
    const zone = zoneOf(tenant);
    const queue = await new KeptNotices().into(zone);
    for (const [ms, step] of LIFE) {
      if (step === "alarm") await ring(zone, ms);
      else {
        at(ms);
        await tell(zone, ...step);
      }
      if (!isUnlucky) continue;
      await evictDurableObject(zone);
      await queue.into(zone);
      if (step !== "alarm") await tell(zone, ...step);
    }
    const incidents = [await zone.incident("north.1"), await zone.incident("north.2")];
    return { notices: [...new Set(queue.notices())], events: [...new Set(queue.events())], incidents, queue };
  };
  const { queue, ...lucky } = await live("lucky", false);
  const { queue: other, ...unlucky } = await live("unlucky", true);
  expect(unlucky).toEqual(lucky);
  // What D1 has in the end is what the zone has, also of what no event of an alert tells.
  for (const { sent } of [queue, other]) {
    const told = sent.flatMap((message) => (message.type === "events" ? message.incidents : []));
    const newest = ["north.1", "north.2"].map((name) =>
      told.filter(({ id }) => id === name).reduce((a, b) => (b.revision > a.revision ? b : a)),
    );
    expect(newest).toEqual(lucky.incidents.map((snapshot) => snapshot!.incident));
  }
  expect(lucky.notices).toEqual([
    "north.1.fire.0",
    "north.1.update.0",
    "north.2.fire.0",
    "north.1.escalate.0",
    "north.2.update.0",
    "north.1.resolve.0",
    "north.2.resolve.0",
  ]);
  expect(lucky.incidents).toMatchObject([
    { incident: { members: 3, active: 0, acknowledgedBy: "ada", escalated: 1, openedAt: T0 } },
    { incident: { members: 3, active: 0, muted: 0 } },
  ]);
  expect(lucky.events).toHaveLength(13);
});

it("[A20] an alarm that failed to the last is set again", async () => {
  const zone = zoneOf("failing");
  const queue = await new KeptNotices().into(zone);
  await tell(zone, fired(firing("d1")), fired(firing("d2", S)));
  const error = vi.spyOn(console, "error").mockImplementation(() => undefined);
  await runInDurableObject<ZoneObject, void>(zone, async (object, { storage }) => {
    const { exec } = storage.sql;
    storage.sql.exec = () => {
      throw new Error("the disk is away");
    };
    const info = { isRetry: true, retryCount: 5, scheduledTime: START };
    await expect(object.alarm({ ...info, retryCount: 4 })).rejects.toThrow("the disk is away");
    await object.alarm(info);
    storage.sql.exec = exec;
    expect(await storage.getAlarm()).toBeGreaterThan(START);
  });
  expect(error).toHaveBeenCalledTimes(1);
  expect(queue.notices()).toEqual(["north.1.fire.0"]);
});

it("[A23] [A24] [A25] five hundred devices at once: one incident, three messages, all listed, few rows", async () => {
  const zone = zoneOf("outage");
  const queue = await new KeptNotices().into(zone);
  const rows = await runInDurableObject<ZoneObject, { written: number }>(zone, (_, { storage }) => {
    const counted = { written: 0 };
    const exec = storage.sql.exec.bind(storage.sql);
    storage.sql.exec = ((query: string, ...bindings: unknown[]) => {
      const cursor = exec(query, ...bindings);
      counted.written += cursor.rowsWritten;
      return cursor;
    }) as typeof exec;
    return counted;
  });
  const alerts = range(500).map((i) => firing(`d${i}`, i * 100));
  const together = (events: AlertEvent[]) => Promise.all(events.map((event) => zone.alerts([event])));
  for (const second of range(50)) {
    at(second * S);
    const answer = queue.hold();
    await together(alerts.slice(second * 10, second * 10 + 10).map(fired));
    answer();
    await vi.waitFor(() => expect(queue.events()).toHaveLength(second * 10 + 10));
    await zone.told(queue.receipts());
  }
  const firedRows = rows.written;
  // Of ten events the first leaves at once, what comes until the queue has it goes together.
  expect(queue.sent.filter(({ type }) => type === "events")).toHaveLength(50 * 2);
  for (const ms of [MINUTE, 2 * MINUTE]) await ring(zone, ms);
  const listed = await zone.incident("north.1");
  expect(listed!.alerts.map(({ id }) => id)).toEqual(alerts.map(({ id }) => id));
  expect(listed!.incident).toMatchObject({ members: 500, active: 500 });
  at(10 * MINUTE);
  await together(alerts.map((alert) => resolved(alert, 10 * MINUTE)));
  await vi.waitFor(() => expect(new Set(queue.events()).size).toBe(1_000));
  expect([...new Set(queue.notices())]).toEqual(["north.1.fire.0", "north.1.update.0", "north.1.resolve.0"]);
  for (const message of queue.sent) {
    expect(JSON.stringify(message).length).toBeLessThan(128_000);
    if (message.type === "events") expect(message.events.length).toBeLessThanOrEqual(60);
  }
  expect(await zone.incident("north.1")).toMatchObject({ incident: { state: "resolved", active: 0 } });
  expect(await zone.incident("north.2")).toBeNull();
  // A row each for the alert, its incident and the event, one when that is confirmed, and a few for messages.
  expect(firedRows).toBeLessThan(500 * 5);
});

it("[A48] [A49] a deleted device's alert goes when everybody was told that it is over; the incident keeps a member without a name", async () => {
  const zone = zoneOf("forgets");
  const queue = await new KeptNotices().into(zone);
  const [gone, stays] = [firing("gone"), firing("stays", 1 * S)];
  await tell(zone, fired(gone), fired(stays));
  expect(await zone.forget("gone", 1)).toEqual({ pending: true }); // it is active
  await tell(zone, resolved(gone, 2 * S), resolved(stays, 3 * S));
  expect(await zone.forget("gone", 1)).toEqual({ pending: true }); // D1 and people are still to be told
  const isResolve = ({ key }: { key: string }) => key.includes(".resolve.");
  await zone.told(queue.receipts().filter((receipt) => !isResolve(receipt)));
  expect(await zone.forget("gone", 1)).toEqual({ pending: true });
  await zone.told(queue.receipts());
  expect(await zone.forget("nobody", 1)).toEqual({ pending: false });
  for (let again = 0; again < 2; again++) expect(await zone.forget("gone", 1)).toEqual({ pending: false });
  const shown = (await zone.incident("north.1"))!;
  expect(shown).toMatchObject({ incident: { members: 2, state: "resolved" }, nameless: 1 });
  expect(shown.alerts.map(({ device }) => device)).toEqual(["stays"]);
  expect(JSON.stringify(shown)).not.toContain("gone");
});

it("[A50] what the zone is told of an ended life brings no alert back; the next life's joins", async () => {
  const zone = zoneOf("buried");
  const queue = await new KeptNotices().into(zone);
  const old = firing("pump");
  await tell(zone, fired(old), resolved(old, 1 * S));
  await zone.told(queue.receipts());
  expect(await zone.forget("pump", 1)).toEqual({ pending: false });
  queue.sent.length = 0;
  const late = firing("pump", 2 * S, { id: "hot.1.2.pump" });
  await tell(zone, fired(old), resolved(old, 1 * S), fired(late));
  expect(queue.sent).toEqual([]);
  expect(await zone.watchAlerts(0)).toEqual([]);
  await tell(zone, fired(firing("pump", 3 * S, { id: "hot.2.1.pump" })));
  expect(queue.events()).toEqual(["hot.2.1.pump 1"]);
});

it("[A48] [A26] a gateway's alert stays until those it muted were looked at", async () => {
  const zone = zoneOf("gateway-gone");
  const queue = await new KeptNotices().into(zone);
  const [gateway, behind] = [silent("gw"), silent("sensor", 1 * S, "gw")];
  await tell(zone, fired(gateway), fired(behind));
  await tell(zone, resolved(gateway, 2 * S));
  await zone.told(queue.receipts());
  expect(await zone.forget("gw", 1)).toEqual({ pending: true });
  await ring(zone, 2 * S + 2 * MINUTE);
  await settled(zone);
  await zone.told(queue.receipts());
  expect(await zone.forget("gw", 1)).toEqual({ pending: false });
  expect(await zone.watchAlerts(0)).toMatchObject([{ device: "sensor" }]);
});
