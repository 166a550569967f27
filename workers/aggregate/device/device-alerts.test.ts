import { env, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { type AlertEvent, type Rule, rule, ruleBody } from "../../../schemas/alert.ts";
import type { ServerFrame } from "../../../schemas/reading.ts";
import { type DeviceStub, HOUR_MS, packed, rowsWritten, TestSocket, upgrade } from "../../test-support.ts";
import { ZoneObject } from "../zone/zone-object.ts";
import type { DeviceObject } from "./device-object.ts";

const MINUTE_MS = 60_000;
/**
 * Ahead of the platform's clock, which no test can set: no alarm fires by itself. A minute into an hour: its bucket is
 * not due within the tests' time, whatever time of day it is.
 */
const T0 = Math.ceil((Date.now() + 2 * HOUR_MS) / HOUR_MS) * HOUR_MS + MINUTE_MS;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function ruleOf(id: string, condition: object, more: object = {}): Rule {
  const body = ruleBody.parse({ name: id, condition, cooldownMs: 0, ...more });
  return rule.parse({ ...body, id, version: 1, createdAt: T0, updatedAt: T0, updatedBy: "test" });
}

const tooHot = (more: object = {}) =>
  ruleOf("too-hot", { type: "threshold", metric: "t", above: 80, clear: 75 }, more);
const silent = (more: object = {}) => ruleOf("silent", { type: "no_data", afterMs: 10 * MINUTE_MS }, more);

/** Zones that keep what they are told of a device. `isAway`: they take nothing. */
class KeptZone {
  readonly told: AlertEvent[] = [];
  isAway = false;

  constructor(device: string) {
    vi.spyOn(ZoneObject.prototype, "alerts").mockImplementation(async (events) => {
      if (this.isAway) throw new Error("the zone is away");
      this.told.push(...events.filter(({ alert }) => alert.device === device));
    });
  }

  kinds(): string[] {
    return this.told.map(({ kind, alert }) => `${alert.rule.id} ${kind} ${alert.revision}`);
  }
}

/** A device that reported once and has these rules. */
async function deviceWith(name: string, ...rules: Rule[]): Promise<{ device: DeviceStub; zone: KeptZone }> {
  const device = env.DEVICE.getByName(`alerts/${name}`);
  const zone = new KeptZone(name);
  await device.report(packed([T0, { t: 20 }]), T0);
  await device.setRules({ version: 1, rules });
  return { device, zone };
}

const report = (device: DeviceStub, ms: number, t: number, receivedMs = ms) =>
  device.report(packed([T0 + ms, { t }]), T0 + receivedMs);

it("[A12] [A14] [A37] a breach fires, a clearing reading resolves, and the zone hears of both after the commit", async () => {
  const { device, zone } = await deviceWith("fires", tooHot());
  await report(device, 1_000, 81);
  await vi.waitFor(() => expect(zone.kinds()).toEqual(["too-hot fired 1"]));
  expect(await device.alerts()).toMatchObject([{ state: "firing", reading: { at: T0 + 1_000, value: 81 } }]);
  await report(device, 2_000, 76); // between the levels
  await report(device, 3_000, 75);
  await vi.waitFor(() => expect(zone.kinds()).toEqual(["too-hot fired 1", "too-hot resolved 2"]));
  expect(zone.told[1]!.alert).toMatchObject({ resolution: "cleared", clearedBy: { value: 75 } });
  expect(await device.alerts()).toEqual([]);
});

it("[D36] an alert that fires costs a row more than its commit, once: the note that the zone has it", async () => {
  const { device, zone } = await deviceWith("rows", tooHot());
  await vi.waitFor(async () => expect(await rowsWritten(device)).toBe(3)); // the report, that it is known, the rules
  await report(device, 1_000, 81);
  await vi.waitFor(() => expect(zone.kinds()).toEqual(["too-hot fired 1"]));
  await vi.waitFor(async () => expect(await rowsWritten(device)).toBe(5));
  await report(device, 2_000, 82);
  expect(await rowsWritten(device)).toBe(6);
});

it("[A20] [A5] a restart in the middle of `forMs` goes on where it was", async () => {
  const { device } = await deviceWith("restart", tooHot({ forMs: 5 * MINUTE_MS }));
  await report(device, 1 * MINUTE_MS, 90);
  await report(device, 3 * MINUTE_MS, 90);
  await evictDurableObject(device);
  await report(device, 5 * MINUTE_MS, 90);
  expect(await device.alerts()).toEqual([]);
  await report(device, 6 * MINUTE_MS, 90);
  expect(await device.alerts()).toMatchObject([{ state: "firing" }]);
});

it("[A20] [A21] a zone that is away is told when it is back, in order, also by the alarm of an object that slept", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
  const { device, zone } = await deviceWith("away", tooHot());
  zone.isAway = true;
  await report(device, 1_000, 81);
  await report(device, 2_000, 70);
  await evictDurableObject(device);
  zone.isAway = false;
  vi.setSystemTime(T0 + MINUTE_MS);
  expect(await runDurableObjectAlarm(device)).toBe(true);
  await vi.waitFor(() => expect(zone.kinds()).toEqual(["too-hot fired 1", "too-hot resolved 2"]));
  await evictDurableObject(device);
  await report(device, 3_000, 70);
  expect(zone.told).toHaveLength(2); // that it has them was noted
});

it("[A20] over a socket a transition commits what is held, and a hibernation before it forgets nothing", async () => {
  const { device, zone } = await deviceWith("socket", tooHot({ count: 3 }));
  const clock = { "telltale-clock": String(T0 + 1_000) };
  const socket = new TestSocket<ServerFrame>(
    await device.fetch(upgrade("/v1/connect?commitEveryMs=600000", clock)),
  );
  const send = (seq: number, t: number) =>
    socket.send({ type: "report", seq, clockMs: T0 + 2_000 + seq, at: T0 + 2_000 + seq, metrics: { t } });
  send(1, 90);
  send(2, 90);
  await vi.waitFor(async () => expect((await device.latest())!.metrics.t!.at).toBe(T0 + 2_002));
  expect(socket.frames).toEqual([]);
  await evictDurableObject(device, { webSockets: "hibernate" });
  send(3, 90);
  expect(await socket.until(({ type }) => type === "ack")).toMatchObject({ seq: 3, stored: 3 });
  await vi.waitFor(() => expect(zone.kinds()).toEqual(["too-hot fired 1"]));
  socket.close();
});

it("[A8] [A14] no data: the object's alarm says so, silence never resolves it, a report does", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
  const { device, zone } = await deviceWith("silent", silent(), tooHot());
  await report(device, MINUTE_MS, 90);
  await vi.waitFor(() => expect(zone.kinds()).toEqual(["too-hot fired 1"]));
  const alarmAt = () =>
    runInDurableObject<DeviceObject, number | null>(device, (_, { storage }) => storage.getAlarm());
  vi.setSystemTime(T0 + 10 * MINUTE_MS);
  await runDurableObjectAlarm(device);
  expect(zone.told).toHaveLength(1); // it reported a minute later: the alarm looks again then
  expect(await alarmAt()).toBeLessThanOrEqual(T0 + 11 * MINUTE_MS);
  vi.setSystemTime(T0 + 11 * MINUTE_MS);
  await runDurableObjectAlarm(device);
  await vi.waitFor(() => expect(zone.kinds()).toEqual(["too-hot fired 1", "silent fired 1"]));
  expect(await device.alerts()).toMatchObject([{ state: "no_data" }, { state: "firing" }]);
  vi.setSystemTime(T0 + 5 * HOUR_MS);
  await runDurableObjectAlarm(device);
  expect(await device.alerts()).toHaveLength(2);
  await report(device, 5 * HOUR_MS, 90);
  await vi.waitFor(() => expect(zone.kinds().at(-1)).toBe("silent resolved 2"));
  expect(await device.alerts()).toMatchObject([{ state: "firing" }]);
});

/** When the object is woken. */
const alarmOf = (device: DeviceStub) =>
  runInDurableObject<DeviceObject, number | null>(device, (_, { storage }) => storage.getAlarm());

/** Its alarm fired although it had reported meanwhile, and is set for T0 + 9 min, which nothing notes; then it slept. */
async function wokenInVain(name: string): Promise<{ device: DeviceStub; zone: KeptZone }> {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
  const known = await deviceWith(name, slow, tooHot());
  vi.setSystemTime(T0 + 4 * MINUTE_MS);
  await report(known.device, 4 * MINUTE_MS, 20);
  vi.setSystemTime(T0 + 5 * MINUTE_MS);
  await runDurableObjectAlarm(known.device);
  await evictDurableObject(known.device);
  return known;
}
const slow = ruleOf("slow", { type: "no_data", afterMs: 5 * MINUTE_MS });

it("[A21] an alarm that fired in vain before the object slept does not put off telling a zone that was away", async () => {
  const { device, zone } = await wokenInVain("vain");
  zone.isAway = true;
  await report(device, 5 * MINUTE_MS, 90);
  expect(await alarmOf(device)).toBeLessThanOrEqual(T0 + 6 * MINUTE_MS);
});

it("[A8] nor does it put off a silence that a new rule hears earlier", async () => {
  const { device } = await wokenInVain("vain-rule");
  const soon = ruleOf("soon", { type: "no_data", afterMs: 2 * MINUTE_MS });
  await device.setRules({ version: 2, rules: [slow, soon] });
  expect(await alarmOf(device)).toBeLessThanOrEqual(T0 + 6 * MINUTE_MS);
});

it("[A3] a silent device that moves is missed by the rules of where it is, also when it never asked for any", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
  const device = env.DEVICE.getByName("alerts-silent-move/d1");
  await device.report(packed([T0, { t: 20 }]), T0);
  const there = silent({ scope: { zone: "there" } });
  await env.CONTROL.prepare("INSERT INTO rule (tenant, id, body) VALUES ('alerts-silent-move', ?1, ?2)")
    .bind(there.id, JSON.stringify(there))
    .run();
  const { changeRules } = await import("../../tenant.ts");
  await changeRules(env.TENANT, "alerts-silent-move");
  await device.setProfile({ zone: "there", name: null, model: null });
  await evictDurableObject(device);
  await device.latest();
  expect(await alarmOf(device)).toBeLessThanOrEqual(T0 + 10 * MINUTE_MS);
  vi.setSystemTime(T0 + 10 * MINUTE_MS);
  await runDurableObjectAlarm(device);
  expect(await device.alerts()).toMatchObject([{ state: "no_data", zone: "there" }]);
});

it("[A8] a metric that fell silent before the rule came is missed, one that never came is not", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
  const silence = (metric: string) => ruleOf(metric, { type: "no_data", metric, afterMs: 10 * MINUTE_MS });
  const { device } = await deviceWith("metric", silence("t"), silence("never"));
  vi.setSystemTime(T0 + 9 * MINUTE_MS);
  await device.report(packed([T0 + 9 * MINUTE_MS, { other: 1 }]), T0 + 9 * MINUTE_MS);
  vi.setSystemTime(T0 + 10 * MINUTE_MS);
  await runDurableObjectAlarm(device);
  expect(await device.alerts()).toMatchObject([{ metric: "t", state: "no_data", reading: { value: 20 } }]);
});

it("[A22] a lost alarm hides no silence: the sweep finds it", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
  const { device, zone } = await deviceWith("lost", silent());
  await runInDurableObject<DeviceObject, void>(device, (_, { storage }) => storage.deleteAlarm());
  vi.setSystemTime(T0 + 11 * MINUTE_MS);
  await evictDurableObject(device);
  expect((await device.sweep()).acted).toBe(true);
  await vi.waitFor(() => expect(zone.kinds()).toEqual(["silent fired 1"]));
});

it("[A63] an alarm that rings late gives the device its time again, durably; silent for that, it is told of", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
  const { device, zone } = await deviceWith("we-were-away", silent());
  vi.setSystemTime(T0 + 25 * MINUTE_MS);
  await evictDurableObject(device);
  await runDurableObjectAlarm(device);
  expect(await device.alerts()).toEqual([]);
  expect(await alarmOf(device)).toBe(T0 + 35 * MINUTE_MS);
  await evictDurableObject(device);
  vi.setSystemTime(T0 + 35 * MINUTE_MS);
  await runDurableObjectAlarm(device);
  await vi.waitFor(() => expect(zone.kinds()).toEqual(["silent fired 1"]));
  expect(zone.told[0]!.alert.firedAt).toBe(T0 + 35 * MINUTE_MS);
});

it("[A63] so does a sweep that comes before an alarm that is late; heard in that time, the device is not told of", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
  const { device, zone } = await deviceWith("away-swept", silent());
  vi.setSystemTime(T0 + 25 * MINUTE_MS);
  expect((await device.sweep()).acted).toBe(true);
  expect(await alarmOf(device)).toBe(T0 + 35 * MINUTE_MS);
  vi.setSystemTime(T0 + 30 * MINUTE_MS);
  await report(device, 30 * MINUTE_MS, 20);
  vi.setSystemTime(T0 + 35 * MINUTE_MS);
  await runDurableObjectAlarm(device);
  expect([await device.alerts(), zone.told]).toEqual([[], []]);
});

it("[A63] an alarm that rings in vain, and again in time, gives nothing", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
  const { device, zone } = await deviceWith("in-vain", silent());
  vi.setSystemTime(T0 + 9 * MINUTE_MS);
  await report(device, 9 * MINUTE_MS, 20);
  vi.setSystemTime(T0 + 10 * MINUTE_MS);
  await runDurableObjectAlarm(device); // the alarm of the first report
  await evictDurableObject(device); // and the state row does not say when it rings next
  vi.setSystemTime(T0 + 19 * MINUTE_MS);
  await runDurableObjectAlarm(device);
  await vi.waitFor(() => expect(zone.kinds()).toEqual(["silent fired 1"]));
});

it("[A2] [A22] a silent device that was not told of a rule is told by the sweep", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: T0 });
  const device = env.DEVICE.getByName("alerts-not-told/d1");
  await device.report(packed([T0, { t: 20 }]), T0);
  await env.CONTROL.prepare("INSERT INTO rule (tenant, id, body) VALUES ('alerts-not-told', ?1, ?2)")
    .bind("silent", JSON.stringify(silent()))
    .run();
  const { changeRules } = await import("../../tenant.ts");
  await changeRules(env.TENANT, "alerts-not-told");
  vi.setSystemTime(T0 + 2 * HOUR_MS);
  expect((await device.sweep()).acted).toBe(true);
  expect(await device.alerts()).toMatchObject([{ state: "no_data" }]);
});

it("[A2] [A16] rules removed, disabled or out of scope end their alerts and say why; older versions change nothing", async () => {
  const { device, zone } = await deviceWith("edited", tooHot());
  await report(device, 1_000, 81);
  await device.setRules({ version: 1, rules: [] });
  expect(await device.alerts()).toHaveLength(1);
  await device.setRules({ version: 2, rules: [{ ...tooHot(), version: 2, enabled: false }] });
  await vi.waitFor(() => expect(zone.kinds()).toEqual(["too-hot fired 1", "too-hot resolved 2"]));
  expect(zone.told[1]!.alert.resolution).toBe("rule_disabled");
});

it("[A3] a device that moves asks which rules concern it there", async () => {
  const there = tooHot({ scope: { zone: "there" } });
  await env.CONTROL.prepare("INSERT INTO rule (tenant, id, body) VALUES ('alerts-move', ?1, ?2)")
    .bind(there.id, JSON.stringify(there))
    .run();
  const { changeRules } = await import("../../tenant.ts");
  await changeRules(env.TENANT, "alerts-move");
  const device = env.DEVICE.getByName("alerts-move/d1");
  const zone = new KeptZone("d1");
  await report(device, 0, 90);
  expect(await device.alerts()).toEqual([]);
  await device.setProfile({ zone: "there", name: null, model: null });
  await report(device, 1_000, 90);
  expect(await device.alerts()).toMatchObject([{ zone: "there", state: "firing" }]);
  await device.setProfile({ zone: "elsewhere", name: null, model: null });
  await vi.waitFor(() =>
    expect(zone.told.at(-1)).toMatchObject({
      kind: "resolved",
      alert: { zone: "there", resolution: "out_of_scope" },
    }),
  );
});

it("[A17] a device deleted while firing resolves its alerts as deleted, and is not forgotten before the zone knows", async () => {
  const { device, zone } = await deviceWith("deleted", tooHot());
  await report(device, 1_000, 81);
  await vi.waitFor(() => expect(zone.told).toHaveLength(1));
  zone.isAway = true;
  await runInDurableObject<DeviceObject, void>(device, async (object) => {
    await expect(object.forget(0)).rejects.toThrow("away");
  });
  expect(await device.latest()).not.toBeNull();
  zone.isAway = false;
  await device.forget(0);
  expect(zone.told.at(-1)).toMatchObject({ kind: "resolved", alert: { resolution: "deleted", revision: 2 } });
  expect(await device.latest()).toBeNull();
  expect(await device.alerts()).toEqual([]);
});

it("[A17] what fires while the device is being deleted is resolved too", async () => {
  const { device, zone } = await deviceWith("fires-late", tooHot());
  await report(device, 1_000, 81);
  await vi.waitFor(() => expect(zone.told).toHaveLength(1));
  const leaving = { hasBegun: false, mayEnd: false };
  vi.spyOn(ZoneObject.prototype, "leave").mockImplementation(async () => {
    leaving.hasBegun = true;
    while (!leaving.mayEnd) await scheduler.wait(5);
  });
  const forgotten = device.forget(0);
  await vi.waitFor(() => expect(leaving.hasBegun).toBe(true));
  await report(device, 2_000, 20);
  await report(device, 3_000, 90);
  await vi.waitFor(() => expect(zone.told.filter(({ kind }) => kind === "fired")).toHaveLength(2));
  leaving.mayEnd = true;
  await forgotten;
  const last = new Map(zone.told.map(({ alert }) => [alert.id, alert]));
  expect([...last.values()].map(({ resolution }) => resolution)).toEqual(["cleared", "deleted"]);
  expect(await device.alerts()).toEqual([]);
});

it("[A13] [A38] who acknowledges is noted durably, and asked twice it is one event", async () => {
  const { device, zone } = await deviceWith("acked", tooHot());
  await report(device, 1_000, 81);
  const { id } = (await device.alerts())[0]!;
  expect(await device.act(id, { kind: "ack", text: "on my way" }, "Ada")).toMatchObject({
    alert: { state: "acknowledged", acknowledgedBy: "Ada" },
  });
  await device.act(id, { kind: "ack" }, "Ada");
  await evictDurableObject(device);
  expect(await device.alerts()).toMatchObject([
    { state: "acknowledged", acknowledgedBy: "Ada", revision: 2 },
  ]);
  await vi.waitFor(() => expect(zone.kinds()).toEqual(["too-hot fired 1", "too-hot acknowledged 2"]));
  expect(await device.act("too-hot.0.99.acked", { kind: "ack" }, "Ada")).toEqual({ refused: "unknown" });
});
