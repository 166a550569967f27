import { env, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { SNAPSHOT_BYTES_MAX } from "../../../schemas/limits.ts";
import { type SnapshotFrame, snapshotFrame, type UpdateFrame, zoneFrame } from "../../../schemas/live.ts";
import type { ZoneRpc } from "../../../schemas/message.ts";
import type { ServerFrame } from "../../../schemas/reading.ts";
import { packed, T0, TestSocket, upgrade } from "../../test-support.ts";
import { DeviceObject } from "../device/device-object.ts";
import { ZoneObject } from "./zone-object.ts";
import { follow, isSnapshot, isUpdate, join, shows, watch } from "./zone-test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const many = (name: string, count: number) =>
  Array.from({ length: count }, (_, i): [string, number] => [`${name}-${i}`, i]);

it("[L1] without a viewer a device pushes nothing, over HTTPS or a socket", async () => {
  const device = await join("quiet", "d1");
  const pushed = vi.spyOn(ZoneObject.prototype, "push");
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 }); // long past the push of its joining
  for (let i = 1; i <= 20; i++) await device.report(packed([T0 + i * 1000, { a: i }]), T0 + i * 1000);
  const socket = new TestSocket<ServerFrame>(
    await device.fetch(upgrade("/v1/connect", { "telltale-clock": String(T0 + 60_000) })),
  );
  for (let seq = 0; seq < 20; seq++) {
    socket.send({ type: "report", seq, clockMs: T0 + 60_000 + seq, metrics: { a: seq } });
  }
  await socket.until((frame) => frame.type === "ack" && frame.seq === 19);
  expect(pushed).not.toHaveBeenCalled();
});

it("[L2] a stream begins with the devices' own answers, then come updates, numbered upwards", async () => {
  const [one] = [await join("begin", "d1"), await join("begin", "d2")];
  await one.report(packed([T0 + 1000, { a: 1, b: 2 }]), T0 + 1000);
  const stream = await watch("begin");
  const first = await stream.until(() => true);
  expect(first).toMatchObject({
    type: "snapshot",
    zone: "default",
    missing: [],
    devices: [
      { device: "d1", zone: "default", connected: false, metrics: { a: { value: 1 }, b: { value: 2 } } },
      { device: "d2", metrics: { a: { at: T0, value: 0 } } },
    ],
  });
  await one.report(packed([T0 + 2000, { a: 3 }]), T0 + 2000);
  const update = await stream.until(isUpdate);
  expect(update).toMatchObject({ device: "d1", metrics: { a: { at: T0 + 2000, value: 3 } } });
  expect(Object.keys((update as UpdateFrame).metrics)).toEqual(["a"]);
  for (const frame of stream.frames) expect(zoneFrame.safeParse(frame).success).toBe(true);
  expect(stream.frames.map(({ seq }) => seq)).toEqual(
    stream.frames.map(({ seq }) => seq).toSorted((a, b) => a - b),
  );
  expect(new Set(stream.frames.map(({ seq }) => seq)).size).toBe(stream.frames.length);
});

it("[L2] a device that fails or never reported is named in `missing`, and the others are shown", async () => {
  for (const name of ["d1", "d2", "d3"]) await join("missing", name);
  const own = DeviceObject.prototype.watch;
  vi.spyOn(DeviceObject.prototype, "watch").mockImplementation(async function (this: DeviceObject, untilMs) {
    const glance = await own.call(this, untilMs);
    if (glance?.device === "d2") throw new Error("away");
    return glance;
  });
  await env.ZONE.getByName("missing/default").presence("ghost", true);
  const snapshot = await (
    await env.ZONE.getByName("missing/default").fetch("https://telltale.test/snapshot")
  ).json<SnapshotFrame>();
  expect(snapshot.devices.map(({ device }) => device)).toEqual(["d1", "d3"]);
  expect(snapshot.missing.toSorted()).toEqual(["d2", "ghost"]);
});

it("[L2] a device that does not answer before the deadline is named in `missing`", {
  timeout: 15_000,
}, async () => {
  for (const name of ["d1", "d2"]) await join("slow", name);
  const own = DeviceObject.prototype.watch;
  let answer: () => void = () => undefined;
  const late = new Promise<void>((resolve) => {
    answer = resolve;
  });
  vi.spyOn(DeviceObject.prototype, "watch").mockImplementation(async function (this: DeviceObject, untilMs) {
    const glance = await own.call(this, untilMs);
    if (glance?.device === "d1")
      await new Promise((resolve) => setTimeout(resolve, 4_000)).then(() => answer());
    return glance;
  });
  const stream = await watch("slow");
  expect(await stream.until(isSnapshot)).toMatchObject({ missing: ["d1"], devices: [{ device: "d2" }] });
  await late;
});

it("[L3] a watched device pushes at once and then once a second, with everything that changed since", async () => {
  const device = await join("rate", "d1");
  const stream = await watch("rate");
  await stream.until(isSnapshot);
  const pushed = vi.spyOn(ZoneObject.prototype, "push");
  const start = Date.now();
  await device.report(packed([T0 + 1, { a: 1 }]), T0 + 1);
  await stream.until(shows("a", 1));
  await Promise.all(
    Array.from({ length: 10 }, (_, i) =>
      device.report(packed([T0 + 2 + i, { a: 2 + i, [`m${i}`]: i }]), T0 + 2 + i),
    ),
  );
  await stream.until(shows("a", 11));
  const metrics = stream.frames.filter(isUpdate).flatMap((frame) => Object.keys(frame.metrics));
  expect(new Set(metrics)).toEqual(new Set(["a", ...Array.from({ length: 10 }, (_, i) => `m${i}`)]));
  expect(pushed.mock.calls.length).toBeLessThanOrEqual(1 + Math.ceil((Date.now() - start) / 1000));
});

it("[L24] a device of 1,000 metrics shows the 50 it reported last in its zone's snapshot, and all in its own", async () => {
  const device = await join("fat", "d1");
  await device.report(packed([T0 + 1, Object.fromEntries(many("old", 1_000))]), T0 + 1);
  await device.report(packed([T0 + 2, { "old-7": 2, temperature: 3 }]), T0 + 2);
  const snapshotOf = async (query: string) =>
    await (
      await env.ZONE.getByName("fat/default").fetch(`https://telltale.test/snapshot${query}`)
    ).json<SnapshotFrame>();
  const [whole] = (await snapshotOf("")).devices;
  expect(whole!.metricsLeftOut).toBe(950);
  expect(Object.keys(whole!.metrics)).toHaveLength(50);
  expect(whole!.metrics).toMatchObject({ temperature: { value: 3 }, "old-7": { value: 2 }, "old-1": {} });
  const [alone] = (await snapshotOf("?device=d1")).devices;
  expect(Object.keys(alone!.metrics)).toHaveLength(1_000);
  expect(alone!.metricsLeftOut).toBeUndefined();
});

it("[L25] what many metrics changed is pushed 50 at a time, until all is told", async () => {
  const device = await join("fat-push", "d1");
  const stream = await watch("fat-push");
  await stream.until(isSnapshot);
  await device.report(packed([T0 + 1, Object.fromEntries(many("m", 120))]), T0 + 1);
  await stream.until(shows("m-119", 119));
  const pushed = stream.frames.filter(isUpdate).map(({ metrics }) => Object.keys(metrics).length);
  expect(pushed).toEqual([50, 50, 20]);
});

it("[L7] a device that moves leaves one stream and joins the other, with all it last said", async () => {
  const device = await join("move", "d1", "north");
  await device.report(packed([T0 + 1, { a: 1, b: 2 }]), T0 + 1);
  const [north, south] = [await watch("move", "north"), await watch("move", "south")];
  expect(await north.until(isSnapshot)).toMatchObject({ devices: [{ device: "d1" }] });
  expect(await south.until(isSnapshot)).toMatchObject({ devices: [] });
  await device.setProfile({ zone: "south", name: null, model: null });
  expect(await north.until(({ type }) => type === "left")).toMatchObject({ device: "d1" });
  expect(await south.until(isUpdate)).toMatchObject({
    device: "d1",
    metrics: { a: { value: 1 }, b: { value: 2 } },
  });
  await device.report(packed([T0 + 2, { a: 5 }]), T0 + 2);
  await south.until(shows("a", 5));
  expect(north.frames.filter(isUpdate)).toEqual([]);
  await (env.ZONE.getByName("move/north") as unknown as ZoneRpc).leave("d1");
  const again = await watch("move", "north");
  expect(await again.until(isSnapshot)).toMatchObject({ devices: [], missing: [] });
  expect(north.frames.filter(({ type }) => type === "left")).toHaveLength(1);
});

it("[L8] one device's stream shows that device only, as socket and as server-sent events, and its connections", async () => {
  const [one, two] = [await join("single", "d1"), await join("single", "d2")];
  const socket = await watch("single", "default", "?device=d2");
  const events = await follow("single", "?device=d2");
  const all = await watch("single");
  for (const first of [await socket.until(isSnapshot), await events.next()]) {
    expect(first).toMatchObject({ type: "snapshot", devices: [{ device: "d2" }] });
  }
  await all.until(isSnapshot);
  await one.report(packed([T0 + 1, { a: 1 }]), T0 + 1);
  await all.until(shows("a", 1));
  await two.report(packed([T0 + 2, { a: 2 }]), T0 + 2);
  expect(await events.next()).toMatchObject({ type: "update", device: "d2", metrics: { a: { value: 2 } } });
  expect(await socket.until(isUpdate)).toEqual(events.frames[1]);
  const connection = new TestSocket<ServerFrame>(await two.fetch(upgrade("/v1/connect")));
  expect(await events.next()).toMatchObject({ device: "d2", connected: true });
  connection.close();
  expect(await events.next()).toMatchObject({ device: "d2", connected: false });
  expect(socket.frames.filter((frame) => isUpdate(frame) && frame.device === "d1")).toEqual([]);
  await events.cancel();
});

it("[F24] a zone's stream says how much a hot device sends, and nothing of the others, nor what people chose for it", async () => {
  const device = await join("hot", "d1");
  await join("hot", "calm");
  const stream = await watch("hot");
  const first = await stream.until(isSnapshot);
  expect((first as SnapshotFrame).devices.map(({ reportsPerSecond }) => reportsPerSecond)).toEqual([
    undefined,
    undefined,
  ]);
  const limits = { reportsPerSecond: 1, burst: 1_000 };
  await device.setProfile({ zone: "default", name: null, model: null, limits });
  const many = Array.from({ length: 90 }, (_, i): Parameters<typeof packed>[number] => [
    T0 + 1 + i,
    { a: i },
  ]);
  await device.report(packed(...many), T0);
  const update = (await stream.until(shows("a", 89))) as UpdateFrame;
  expect(update.reportsPerSecond).toBeCloseTo(1.5, 0);
  const { devices } = (await (await watch("hot")).until(isSnapshot)) as SnapshotFrame;
  const glance = devices.find((one) => one.device === "d1")!;
  expect(glance.reportsPerSecond).toBeGreaterThan(1);
  expect(Object.keys(glance)).not.toContain("limits");
  expect(devices.find((one) => one.device === "calm")).not.toHaveProperty("reportsPerSecond");
});

it("[L27] the snapshot of a crowded zone, asked or streamed, is no larger than a mebibyte and says what it leaves out", async () => {
  vi.spyOn(DeviceObject.prototype, "watch").mockImplementation(crowded);
  const zone = await crowd("packed", 250);
  const asked = await zone.fetch("https://telltale.test/snapshot");
  const text = await asked.text();
  expect(text.length).toBeLessThanOrEqual(SNAPSHOT_BYTES_MAX);
  const snapshot = snapshotFrame.parse(JSON.parse(text));
  expect(snapshot.devices.length + snapshot.missing.length + (snapshot.missingLeftOut ?? 0)).toBe(250);
  for (const { metrics, metricsLeftOut } of snapshot.devices)
    expect(Object.keys(metrics).length + metricsLeftOut!).toBe(50);
  const streamed = await (await watch("packed")).until(isSnapshot);
  expect(JSON.stringify(streamed).length).toBeLessThanOrEqual(SNAPSHOT_BYTES_MAX);
});

it("[L28] what it leaves out is asked page by page", async () => {
  vi.spyOn(DeviceObject.prototype, "watch").mockImplementation(crowded);
  const zone = await crowd("paged", 60);
  const seen: string[] = [];
  let after: string | null = "";
  while (after !== null) {
    const page: SnapshotFrame = await (
      await zone.fetch(`https://telltale.test/snapshot?limit=40&after=${after}`)
    ).json();
    expect(page.devices.every(({ metrics }) => Object.keys(metrics).length === 50)).toBe(true);
    seen.push(...page.devices.map(({ device }) => device));
    after = page.next!;
  }
  expect(seen).toEqual(Array.from({ length: 60 }, (_, i) => `d${1_000 + i}`));
});

/** A zone of devices that are known to it only. */
async function crowd(tenant: string, count: number) {
  const zone = env.ZONE.getByName(`${tenant}/default`);
  await runInDurableObject<ZoneObject, void>(zone, async (object) => {
    for (let i = 0; i < count; i++) await object.presence(`d${1_000 + i}`, true);
  });
  // Awake they all answer in time, however slow the machine.
  for (let i = 0; i < count; i++) await env.DEVICE.getByName(`${tenant}/d${1_000 + i}`).watch(0);
  return zone;
}

/** What a device of 50 metrics with long names answers. */
async function crowded(this: DeviceObject) {
  const device = (this as unknown as { ctx: DurableObjectState }).ctx.id.name!.split("/")[1]!;
  const metrics = many("m".repeat(100), 50).map(
    ([name, value]) => [name, { at: T0, value, receivedAt: T0 }] as const,
  );
  const about = { device, zone: "default", name: null, model: null, connected: true };
  return { ...about, lastReceivedAt: T0, reportEveryMs: null, metrics: Object.fromEntries(metrics) };
}
