import { env, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { acknowledged, fired, firing, resolved } from "../../../core/alert/incident-test-support.ts";
import { type AlertFrame, type FleetFrame, fleetFrame, zoneFrame } from "../../../schemas/live.ts";
import { bearer, problem, TestEvents, TestSocket, upgrade } from "../../test-support.ts";
import { ZoneObject } from "../zone/zone-object.ts";
import { follow, join, KeptNotices, register, watch, zoneOf } from "../zone/zone-test-support.ts";
import { FleetObject } from "./fleet-object.ts";

vi.setConfig({ testTimeout: 60_000 });
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const MINUTE = 60_000;
const fleetOf = (tenant: string) => env.FLEET.getByName(tenant);
const watchFleet = async (tenant: string, query = "") =>
  new TestSocket<FleetFrame>(await fleetOf(tenant).fetch(upgrade(`/v1/fleet/stream${query}`)));
const isAlert = (frame: { type: string }): frame is AlertFrame => frame.type === "alert";
const isSnapshot = ({ type }: { type: string }) => type === "snapshot";
const placeOf = (object: object) => (object as { ctx: DurableObjectState }).ctx.id.name;
const inZone = (zone: string, device = "d1") => ({
  ...firing(device),
  zone,
  id: `hot.0.1.${zone}-${device}`,
});

/** Zones whose messages no consumer gets. */
async function zonesOf(tenant: string, ...zones: string[]) {
  await register(tenant, ...zones);
  const queue = new KeptNotices();
  for (const zone of zones) await queue.into(zoneOf(tenant, zone));
  return zones.map((zone) => zoneOf(tenant, zone));
}

it("[A45] a zone's stream begins with its active alerts and carries each event; a device's only its own", async () => {
  await join("live", "d1");
  const [zone] = await zonesOf("live", "default");
  const [one, two, over] = ["d1", "d2", "d3"].map((device) => inZone("default", device));
  await zone!.alerts([fired(one!), fired(over!), resolved(over!, 1)]);
  const [all, ofOne] = [await watch("live"), await follow("live", "?device=d1")];
  const first = await all.until(isSnapshot);
  expect(first).toMatchObject({ alerts: [one], devices: [{ device: "d1" }] });
  expect(await ofOne.next()).toMatchObject({ type: "snapshot", alerts: [one] });
  const ack = acknowledged(one!, 2);
  await zone!.alerts([fired(two!)]);
  await zone!.alerts([fired(one!), ack]);
  expect(await all.until((frame) => isAlert(frame) && frame.device === "d1")).toMatchObject({
    event: { ...ack, incident: "default.1" },
  });
  expect(all.frames.filter(isAlert).map(({ event }) => event.alert)).toEqual([two, ack.alert]);
  expect(await ofOne.next()).toMatchObject({ type: "alert", device: "d1", event: ack });
  for (const frame of all.frames) expect(zoneFrame.safeParse(frame).error).toBeUndefined();

  const back = await watch("live", "default", `?after=${first.seq}`);
  await back.until((frame) => isAlert(frame) && frame.device === "d1");
  expect(back.frames).toEqual(all.frames.filter(({ seq }) => seq > first.seq));
  await ofOne.cancel();
});

it("[A45] the fleet's stream begins with the active alerts of all zones and carries the events of all", async () => {
  const [north, south] = await zonesOf("fleet", "north", "south");
  const [one, two] = [inZone("north"), inZone("south")];
  await north!.alerts([fired(one)]);
  const stream = await watchFleet("fleet");
  const first = await stream.until(() => true);
  expect(first).toMatchObject({ type: "snapshot", alerts: [one], missing: [] });
  await south!.alerts([fired(two)]);
  await stream.until((frame) => isAlert(frame) && frame.event.alert.zone === "south");
  // An eviction forgets no lease.
  await evictDurableObject(north!);
  await north!.alerts([fired(one), resolved(one, 1)]);
  const last = await stream.until((frame) => isAlert(frame) && frame.event.alert.zone === "north");
  expect(last).toMatchObject({ device: "d1", event: { kind: "resolved", incident: "north.1" } });
  expect(stream.frames.filter(isAlert)).toHaveLength(2);
  for (const frame of stream.frames) expect(fleetFrame.safeParse(frame).error).toBeUndefined();
  expect(stream.frames.map(({ seq }) => seq)).toEqual(
    stream.frames.map(({ seq }) => seq).toSorted((a, b) => a - b),
  );

  const back = await watchFleet("fleet", `?after=${first.seq}`);
  await back.until((frame) => frame.seq === last.seq);
  expect(back.frames).toEqual(stream.frames.slice(1));
  const other = await watchFleet("fleet", "?after=12");
  expect(await other.until(() => true)).toMatchObject({ type: "snapshot", alerts: [two] });
});

it("[A45] a fleet nobody watches is told nothing, and the first push after the last one left is the last", async () => {
  const [zone] = await zonesOf("unseen", "north");
  const pushed = vi.spyOn(FleetObject.prototype, "push");
  const alert = inZone("north");
  await zone!.alerts([fired(alert)]);
  expect(pushed).not.toHaveBeenCalled();
  const tables = () =>
    runInDurableObject(zone!, (_, { storage: { sql } }) =>
      sql.exec("SELECT name FROM sqlite_master WHERE name = 'fleet_lease'").toArray(),
    );
  expect(await tables()).toEqual([]);

  const stream = await watchFleet("unseen");
  await stream.until(isSnapshot);
  stream.close();
  await stream.closed;
  await zone!.alerts([acknowledged(alert, 1)]);
  await vi.waitFor(() =>
    expect(pushed.mock.settledResults).toMatchObject([{ type: "fulfilled", value: false }]),
  );
  await evictDurableObject(zone!);
  await zone!.alerts([resolved(acknowledged(alert, 1).alert, 2)]);
  await zone!.alerts([fired(inZone("north", "d2"))]);
  expect(pushed).toHaveBeenCalledTimes(1);
  expect(await runDurableObjectAlarm(fleetOf("unseen"))).toBe(true);
  expect(await runDurableObjectAlarm(fleetOf("unseen"))).toBe(false);
});

it("[A45] its alarm renews the leases, finds new zones and makes a lost push good; without watchers it asks nobody", async () => {
  const [north] = await zonesOf("renewal", "north");
  const start = Date.now();
  const stream = await watchFleet("renewal");
  await stream.until(isSnapshot);
  await evictDurableObject(fleetOf("renewal"));
  const [, south] = await zonesOf("renewal", "north", "south");
  await south!.alerts([fired(inZone("south"))]); // not asked yet, so it does not push
  vi.useFakeTimers({ toFake: ["Date"], now: start + 6 * MINUTE });
  expect(await runDurableObjectAlarm(fleetOf("renewal"))).toBe(true);
  const second = await stream.until((frame) => isSnapshot(frame) && frame !== stream.frames[0]);
  expect(second).toMatchObject({ alerts: [{ zone: "south" }], missing: [] });

  vi.setSystemTime(start + 14 * MINUTE);
  await north!.alerts([fired(inZone("north"))]);
  await stream.until((frame) => isAlert(frame) && frame.event.alert.zone === "north");

  stream.close();
  await stream.closed;
  const asked = vi.spyOn(ZoneObject.prototype, "watchAlerts");
  expect(await runDurableObjectAlarm(fleetOf("renewal"))).toBe(true);
  expect(asked).not.toHaveBeenCalled();
  expect(await runDurableObjectAlarm(fleetOf("renewal"))).toBe(false);
});

it("[A45] what zones push while a snapshot is made is in it, and a zone that does not answer is named", async () => {
  await zonesOf("mixed", "north", "south");
  const alert = inZone("north");
  const own = ZoneObject.prototype.watchAlerts;
  vi.spyOn(ZoneObject.prototype, "watchAlerts").mockImplementation(async function (
    this: ZoneObject,
    untilMs,
  ) {
    const answer = await own.call(this, untilMs);
    if (placeOf(this) !== "mixed/north") return null as never;
    // It answers before, and pushes after: the push is what is true.
    await fleetOf("mixed").push([{ ...fired(alert), incident: "north.1" }]);
    return answer;
  });
  const stream = await watchFleet("mixed");
  expect(await stream.until(isSnapshot)).toMatchObject({ alerts: [alert], missing: ["south"] });
});

it("[A45] /v1/fleet/stream is for viewers, as WebSocket and as server-sent events, each of its own tenant", async () => {
  const { default: worker } = await import("../../single.ts");
  const [zone] = await zonesOf("door", "north");
  const alert = inZone("north");
  await zone!.alerts([fired(alert)]);
  const context = { waitUntil: () => undefined, passThroughOnException: () => undefined } as never;
  const get = async (headers: Record<string, string>) =>
    await worker.fetch(
      new Request("https://telltale.test/v1/fleet/stream", { headers }) as never,
      env as never,
      context,
    );
  const viewer = await bearer("door", "viewer");
  const events = new TestEvents<FleetFrame>(await get({ ...viewer, accept: "text/event-stream" }));
  expect(await events.next()).toMatchObject({ type: "snapshot", alerts: [alert] });
  await events.cancel();
  const socket = new TestSocket<FleetFrame>(await get({ ...viewer, upgrade: "websocket" }));
  expect(await socket.until(() => true)).toMatchObject({ type: "snapshot", alerts: [alert] });
  const rival = new TestEvents<FleetFrame>(
    await get({ ...(await bearer("rival", "viewer")), accept: "text/event-stream" }),
  );
  expect(await rival.next()).toMatchObject({ alerts: [] });
  await rival.cancel();
  await problem(get({ accept: "text/event-stream" }), 401, "token_missing");
  await problem(get({ ...viewer, accept: "application/json" }), 426, "upgrade_required");
});
