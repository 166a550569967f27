import { env, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { fired, firing } from "../../../core/alert/incident-test-support.ts";
import type { FleetFrame, ZoneFrame } from "../../../schemas/live.ts";
import { packed, problem, T0, TestEvents, TestSocket, upgrade } from "../../test-support.ts";
import type { DeviceObject } from "../device/device-object.ts";
import type { ZoneObject } from "../zone/zone-object.ts";
import {
  follow,
  isSnapshot,
  isUpdate,
  join,
  KeptNotices,
  shows,
  watch,
  zoneOf,
} from "../zone/zone-test-support.ts";
import { FrameLog } from "./frame-log.ts";

vi.setConfig({ testTimeout: 60_000 });
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const FAKED = { toFake: ["setInterval" as const, "clearInterval" as const] };
const streamOf = (zone: string, query = "") => `https://telltale.test/v1/zones/${zone}/stream${query}`;

/** What a stream says, until it says this. */
async function heard(reader: ReadableStreamDefaultReader<string>, until: RegExp): Promise<string> {
  let text = "";
  while (!until.test(text)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the stream ended after ${text}`);
    text += value;
  }
  return text;
}

it.each(["zone", "fleet"])(
  "[L17] an event stream of a %s says something before its snapshot, and then a comment every 20 s; the last one to go takes the timer along",
  async (kind) => {
    vi.useFakeTimers(FAKED);
    const stub = kind === "zone" ? env.ZONE.getByName("quietly/north") : env.FLEET.getByName("quietly");
    const pass = () =>
      runInDurableObject(stub as DurableObjectStub<ZoneObject>, () => vi.advanceTimersByTime(20_000));
    const open = async () =>
      (await stub.fetch(streamOf("north"))).body!.pipeThrough(new TextDecoderStream()).getReader();
    const [one, other] = [await open(), await open()];
    const first = await heard(one, /event: snapshot\n.*\n\n$/);
    expect(first).toMatch(/^retry: \d+\n/);
    await heard(other, /event: snapshot\n.*\n\n$/);
    for (let minute = 0; minute < 3; minute++) {
      await pass();
      expect([await heard(one, /\n\n$/), await heard(other, /\n\n$/)]).toEqual([":\n\n", ":\n\n"]);
    }
    await one.cancel();
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
    await pass();
    expect(await heard(other, /\n\n$/)).toBe(":\n\n");
    await other.cancel();
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(0));
  },
);

it("[L17] a WebSocket needs no timer of ours: a ping is answered, also while the object sleeps", async () => {
  vi.useFakeTimers(FAKED);
  await join("pinged", "d1");
  const stub = env.ZONE.getByName("pinged/default");
  const { webSocket } = await stub.fetch(upgrade("/v1/zones/default/stream"));
  const said: string[] = [];
  webSocket!.addEventListener("message", ({ data }) => said.push(String(data)));
  webSocket!.accept();
  await vi.waitFor(() => expect(said).toHaveLength(1));
  await evictDurableObject(stub);
  webSocket!.send("ping");
  await vi.waitFor(() => expect(said.at(-1)).toBe("pong"));
  expect(vi.getTimerCount()).toBe(0);
  webSocket!.close();
});

/** Breaks what the object keeps of its viewers. */
const WAYS: [what: string, attachment: unknown][] = [
  ["missing", null],
  ["no object", "d1"],
  ["of another shape", { device: { of: "a later deploy" } }],
];

it.each(WAYS)(
  "[L18] a viewer whose attachment is %s is closed; alerts, updates, the alarm and other viewers go on",
  async (what, attachment) => {
    const tenant = `odd-${what.replaceAll(" ", "-")}`;
    const device = await join(tenant, "d1");
    const zone = zoneOf(tenant, "default");
    const queue = await new KeptNotices().into(zone);
    const [broken, sound] = [await watch(tenant), await watch(tenant)];
    await broken.until(isSnapshot);
    await sound.until(isSnapshot);
    await runInDurableObject(zone, (_, state) => {
      const [one] = state.getWebSockets().toSorted((a, b) => renewalOf(b) - renewalOf(a));
      one!.serializeAttachment(attachment);
    });
    const alert = { ...firing("d1"), zone: "default", id: "hot.0.1.default-d1" };
    await zone.alerts([fired(alert)]);
    await vi.waitFor(() => expect(queue.notices()).toHaveLength(1));
    expect(await Promise.race([broken.closed, sound.closed])).toBe(1011);
    const left = [broken, sound].find((socket) => socket.frames.some(({ type }) => type === "alert"))!;
    await device.report(packed([T0 + 1, { a: 1 }]), T0 + 1);
    await left.until(shows("a", 1));
    expect(await runDurableObjectAlarm(zone)).toBe(true);
  },
);

const renewalOf = (ws: WebSocket) => (ws.deserializeAttachment() as { renewAt?: number }).renewAt ?? 0;

it("[L18] whatever goes wrong with viewers, alerts are taken and told, escalations wake, devices are answered", async () => {
  await join("wrong", "d1");
  const zone = zoneOf("wrong", "default");
  const queue = await new KeptNotices().into(zone);
  const socket = await watch("wrong");
  await socket.until(isSnapshot);
  await runInDurableObject<ZoneObject, void>(zone, (_, state) => {
    state.getWebSockets = () => {
      throw new Error("viewers are broken");
    };
  });
  const alert = { ...firing("d1"), zone: "default", id: "hot.0.1.default-d1" };
  await zone.alerts([fired(alert)]);
  await vi.waitFor(() => expect(queue.notices()).toHaveLength(1));
  expect(await zone.presence("d1", true)).toBe(0);
  expect(
    await zone.push({ device: "d1", connected: true, lastReceivedAt: 1, reportEveryMs: null, metrics: {} }),
  ).toBe(0);
  await zone.leave("d1");
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
  await runInDurableObject<ZoneObject, void>(zone, (object) => object.alarm());
  expect(queue.notices().length).toBeGreaterThan(1); // what was not confirmed is told again
});

it("[L18] a viewer whose first frames fail is let go, as a socket and as an event stream", async () => {
  await join("failing", "d1");
  const zone = zoneOf("failing", "default");
  await runInDurableObject(zone, (_, state) => {
    state.storage.getAlarm = async () => {
      throw new Error("no storage");
    };
  });
  const socket = await watch("failing");
  expect(await socket.closed).toBe(1011);
  await expect((await follow("failing")).next()).rejects.toThrow("the stream ended");
});

it("[L18] what is shown takes nothing from what is kept: a device that cannot push commits and acknowledges", async () => {
  const device = await join("unshown", "d1");
  const stream = await watch("unshown");
  await stream.until(isSnapshot);
  await runInDurableObject<DeviceObject, void>(device, (_, state) => {
    state.waitUntil = () => {
      throw new Error("nothing can be shown");
    };
  });
  const verdicts = await device.report(packed([T0 + 1, { a: 1 }]), T0 + 1);
  expect(verdicts.counts[0]).toBe(1);
  expect(stream.frames.filter(isUpdate)).toEqual([]);
});

it("[L21] one event stream too many is told so, and takes no place of those that end", async () => {
  const stub = env.ZONE.getByName("crowd/default");
  const streams = [];
  for (let i = 0; i < 64; i++) streams.push(new TestEvents<ZoneFrame>(await stub.fetch(streamOf("default"))));
  const { detail } = await problem(stub.fetch(streamOf("default")), 503, "unavailable");
  expect(detail).toMatch(/64 event streams/);
  await Promise.all(streams.map((stream) => stream.cancel()));
  await vi.waitFor(async () => {
    const again = await stub.fetch(streamOf("default"));
    await again.body!.cancel();
    expect(again.status).toBe(200);
  });
});

it.each([
  ["zone", () => env.ZONE.getByName("spoken/default")],
  ["fleet", () => env.FLEET.getByName("spoken")],
])("[L22] the stream of a %s agrees to what it speaks, and to nothing else", async (_kind, stubOf) => {
  const agreed = async (offered: string) => {
    const response = await stubOf().fetch(upgrade("/v1/x/stream", { "sec-websocket-protocol": offered }));
    const socket = new TestSocket<ZoneFrame | FleetFrame>(response);
    await socket.until(({ type }) => type === "snapshot");
    socket.close();
    return response.headers.get("sec-websocket-protocol");
  };
  expect(await agreed("bearer.x, telltale.v1")).toBe("telltale.v1");
  expect(await agreed("telltale.v2,mqtt,bearer.x")).toBe(null);
});

it.each(["zone", "fleet"] as const)(
  "[L26] a viewer of a %s that acknowledges nothing is cut a megabyte after it was asked, over hibernations, and comes back with its last number; one that does stays",
  async (kind) => {
    const stub = kind === "zone" ? zoneOf("mute") : env.FLEET.getByName("mute");
    const path = kind === "zone" ? "/v1/zones/north/stream" : "/v1/fleet/stream";
    const open = async (query = "") =>
      new TestSocket<ZoneFrame | FleetFrame>(await stub.fetch(upgrade(path + query)));
    const [mute, reading] = [await open(), await open()];
    const answered = new Set<number>();
    const told = (frame: ZoneFrame | FleetFrame) => frame.type === "alert";
    await Promise.all([mute, reading].map((socket) => socket.until(({ type }) => type === "snapshot")));
    let isCut = false;
    void mute.closed.then(() => {
      isCut = true;
    });
    let pushed = 0;
    for (; !isCut && pushed < 40; pushed++) {
      const alert = { ...firing("d1"), zone: "north", revision: pushed + 1, context: "x".repeat(50_000) };
      const event = { ...fired(alert), incident: "north.1" };
      if (kind === "fleet") await env.FLEET.getByName("mute").push([event]);
      else await runInDurableObject<ZoneObject, void>(zoneOf("mute"), (object) => object.alerts([event]));
      await vi.waitFor(() => expect(reading.frames.filter(told)).toHaveLength(pushed + 1));
      for (const { type, seq } of reading.frames) {
        if (type !== "ask" || answered.has(seq)) continue;
        answered.add(seq);
        reading.send({ type: "ack", seq });
      }
      if (pushed % 10 === 3) await evictDurableObject(stub);
    }
    expect(await mute.closed).toBe(1013);
    const bytes = mute.frames.reduce((sum, frame) => sum + JSON.stringify(frame).length, 0);
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(bytes).toBeLessThan(1_400_000);
    expect(answered.size).toBeGreaterThan(1);
    const last = mute.frames.filter(told).at(-1)!.seq;
    const again = await open(`?after=${last}`);
    await again.until(({ type }) => type === "snapshot" || type === "alert");
    expect(again.frames[0]!.seq).toBeGreaterThan(last);
    again.close();
    reading.close();
  },
);

it("[L30] a gap of more than a megabyte is told by a snapshot", () => {
  const log = new FrameLog<ZoneFrame>();
  const numbers = Array.from({ length: 30 }, () => log.add({ type: "left", device: "d".repeat(50_000) })).map(
    ({ frame }) => frame.seq,
  );
  expect(log.since(numbers[0]!)).toBeUndefined();
  const kept = log.since(numbers[10]!)!;
  expect(kept.map(({ frame }) => frame.seq)).toEqual(numbers.slice(11));
  expect(kept.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(1_000_000);
});

it("[L29] an event stream that nobody reads is ended when a megabyte waits, and what waited is there to be read", async () => {
  const fleet = env.FLEET.getByName("unread");
  const events = new TestEvents<FleetFrame>(await fleet.fetch("https://telltale.test/v1/fleet/stream"));
  await events.next();
  let pushed = 0;
  for (; (await fleet.viewers()) > 0; pushed++) {
    expect(pushed).toBeLessThan(100);
    const alert = { ...firing("d1"), zone: "north", revision: pushed + 1, context: "x".repeat(50_000) };
    await fleet.push([{ ...fired(alert), incident: "north.1" }]);
  }
  await expect(
    (async () => {
      for (;;) await events.next();
    })(),
  ).rejects.toThrow("the stream ended");
  const bytes = events.frames.reduce((sum, frame) => sum + JSON.stringify(frame).length, 0);
  expect(bytes).toBeGreaterThan(900_000);
  expect(events.frames.length).toBeLessThan(pushed + 1);
});
