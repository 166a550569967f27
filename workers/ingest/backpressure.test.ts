import { env, runInDurableObject } from "cloudflare:test";
import { expect, it, onTestFinished, vi } from "vitest";
import { ReportPacker } from "../../core/report/pack.ts";
import type { ServerFrame, TelemetryAnswer } from "../../schemas/reading.ts";
import type { DeviceObject } from "../aggregate/device/device-object.ts";
import { changeSettings } from "../tenant.ts";
import {
  bearer,
  type DeviceStub,
  held,
  KeptQueue,
  packed,
  problem,
  T0,
  TestSocket,
  upgrade,
} from "../test-support.ts";
import { IN_FLIGHT_BYTES_MAX, IN_FLIGHT_MAX, InFlight, inFlight } from "./in-flight.ts";
import { ingestEnv, report, send } from "./ingest-test-support.ts";
import { ingest } from "./worker.ts";

const post = async (tenant: string, device: string, body: unknown, more: { path?: string } = {}) =>
  await send({ body: JSON.stringify(body), headers: await bearer(tenant, "device", device), ...more });

/** A device whose sealed block the queue has refused. */
async function strained(tenant: string, device: string): Promise<{ stub: DeviceStub; queue: KeptQueue }> {
  const stub = env.DEVICE.getByName(`${tenant}/${device}`);
  const queue = await new KeptQueue().into(stub);
  queue.refusing = true;
  await stub.report(packed([T0, { a: 1 }]), T0);
  expect(await stub.seal()).toMatchObject({ pending: 1 });
  return { stub, queue };
}

const connect = async (tenant: string, device?: string) => {
  const headers = {
    ...(await bearer(tenant, device === undefined ? "gateway" : "device", device)),
    "telltale-clock": String(T0),
  };
  const query = device === undefined ? "" : "?commitEveryMs=0";
  return new TestSocket<ServerFrame>(
    await ingest.fetch(upgrade(`/v1/connect${query}`, headers), ingestEnv, {} as ExecutionContext),
  );
};
const frame = (seq: number, more: object = {}) => ({
  type: "report",
  seq,
  at: T0 + seq,
  clockMs: T0 + seq,
  metrics: { a: seq },
  ...more,
});

it("[F18] while the queue refuses a device's blocks it is asked to slow down over HTTPS, and all of it is taken", async () => {
  const { queue, stub } = await strained("strain", "d1");
  const response = await post("strain", "d1", [report(2, { at: T0 + 1 })]);
  expect([response.status, response.headers.get("retry-after")]).toEqual([200, "5"]);
  expect(await response.json()).toMatchObject({ stored: 1, refused: 0, retryAfterMs: 5_000, problems: [] });
  const mixed = [
    { device: "d1", at: T0 + 2 },
    { device: "calm", at: T0 },
  ].map((one) => ({ ...one, metrics: { a: 1 } }));
  const gateway = await send({ body: JSON.stringify(mixed), headers: await bearer("strain", "gateway") });
  expect(await gateway.json()).toMatchObject({ stored: 2, retryAfterMs: 5_000 });
  const none = await post("strain", "d1", [report(2, { at: T0 - 90 * 86_400_000 })]);
  expect([none.status, none.headers.get("retry-after")]).toEqual([422, "5"]);

  queue.refusing = false;
  await stub.seal();
  const after = await post("strain", "d1", [report(2, { at: T0 + 3 })]);
  expect([after.headers.get("retry-after"), await after.json<TelemetryAnswer>()]).toEqual([
    null,
    { stored: 1, duplicate: 0, corrected: 0, late: 0, quarantined: 0, refused: 0, problems: [] },
  ]);
  expect(await held(stub, "a")).toHaveLength(4);
});

it("[F18] a device that is not behind is asked nothing", async () => {
  const response = await post("calm", "d1", [report(1)]);
  expect(response.headers.get("retry-after")).toBeNull();
  expect(await response.json()).not.toHaveProperty("retryAfterMs");
});

it("[F18] on its socket it is told once, without a number, and its frames are taken all the same", async () => {
  const { stub } = await strained("strain-socket", "d1");
  const socket = await connect("strain-socket", "d1");
  for (let seq = 0; seq < 3; seq++) socket.send(frame(seq));
  await socket.until((got) => got.type === "ack" && got.seq === 2);
  expect(socket.frames.filter(({ type }) => type === "slow")).toEqual([
    { type: "slow", retryAfterMs: 5_000 },
  ]);
  expect(await held(stub, "a")).toHaveLength(3); // the first is the one of before, sent again
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 6_000 });
  onTestFinished(() => void vi.useRealTimers());
  socket.send(frame(3));
  await socket.until((got) => got.type === "ack" && got.seq === 3);
  await vi.waitFor(() => expect(socket.frames.filter(({ type }) => type === "slow")).toHaveLength(2));
});

it("[F18] a gateway is told of the device, once, and its frames are acknowledged", async () => {
  await strained("strain-gateway", "d1");
  const socket = await connect("strain-gateway");
  for (const [seq, device] of ["d1", "calm", "d1"].entries()) socket.send(frame(seq, { device }));
  await socket.until((got) => got.type === "ack" && got.seq === 2);
  await socket.until((got) => got.type === "slow");
  expect(socket.frames.map(({ type }) => type)).toEqual(["ack", "slow", "ack", "ack"]);
  expect(socket.frames[1]).toEqual({ type: "slow", device: "d1", retryAfterMs: 5_000 });
});

it("[F18] a queue that says its oldest message is twenty minutes old is behind", async () => {
  const stub = env.DEVICE.getByName("strain-old/d1");
  const queue = await new KeptQueue().into(stub);
  const metrics = {
    backlogCount: 3,
    backlogBytes: 0,
    oldestMessageTimestamp: new Date(Date.now() - 20 * 60_000),
  };
  queue.sendBatch = async () => ({ metadata: { metrics } }) as never;
  await stub.report(packed([T0, { a: 1 }]), T0);
  await stub.seal();
  expect(await (await post("strain-old", "d1", [report(2, { at: T0 + 1 })])).json()).toMatchObject({
    stored: 1,
    retryAfterMs: 5_000,
  });
});

/** Takes on so much of tenants that have nothing to do with the test's. */
function busy(bytes: number, requests = 0): () => void {
  const half = ["other-1", "other-2"].map((tenant) => inFlight.hold(tenant, bytes / 2, requests / 2));
  const release = () => {
    for (const one of half) one.release();
  };
  onTestFinished(release);
  return release;
}

it("[F17] what is more than an isolate takes on is 503 at once, nothing of it is taken, and afterwards it is", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const before = inFlight.refused;
  const release = busy(0, IN_FLIGHT_MAX);
  const refused = await post("full", "d1", [report(1)]);
  expect(refused.headers.get("retry-after")).toBe("1");
  expect((await problem(refused, 503, "unavailable")).detail).toMatch(/1000 requests/);
  expect(inFlight.refused).toBe(before + 1);
  expect(await env.DEVICE.getByName("full/d1").latest()).toBeNull();
  release();
  expect((await post("full", "d1", [report(1)])).status).toBe(200);
  expect(inFlight.all).toEqual({ requests: 0, bytes: 0 });
  vi.restoreAllMocks();
});

it("[F17] one tenant takes half of it, and the others go on", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const slow = Array.from({ length: IN_FLIGHT_MAX / 2 }, () => inFlight.hold("greedy", 0));
  await problem(post("greedy", "d1", [report(1)]), 503, "unavailable");
  expect((await post("modest", "d1", [report(1)])).status).toBe(200);
  for (const one of slow) one.release();
  const large = inFlight.hold("greedy", IN_FLIGHT_BYTES_MAX / 2);
  await problem(post("greedy", "d1", [report(1)]), 503, "unavailable");
  expect((await post("modest", "d1", [report(2)])).status).toBe(200);
  large.release();
  expect((await post("greedy", "d1", [report(1)])).status).toBe(200);
  vi.restoreAllMocks();
});

it("[F17] bytes count before they are read, as they come, and inflated", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const headers = await bearer("bytes", "device", "d1");
  const body = JSON.stringify({ at: T0, metrics: { a: 1 }, b: "x".repeat(100_000) });
  busy(IN_FLIGHT_BYTES_MAX - 50_000);
  const gzipped = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  const whole = send({ body, headers: { ...headers, "content-length": String(body.length) } });
  await problem(whole, 503, "unavailable");
  await problem(send({ body: new Blob([body]).stream(), headers }), 503, "unavailable");
  await problem(
    send({ body: gzipped, headers: { ...headers, "content-encoding": "gzip" } }),
    503,
    "unavailable",
  );
  expect(inFlight.all).toEqual({ requests: 0, bytes: IN_FLIGHT_BYTES_MAX - 50_000 });
  expect((await post("bytes", "d1", [report(1)])).status).toBe(200);
  vi.restoreAllMocks();
});

it("[F17] whatever becomes of a request, it is let go of", async () => {
  const headers = await bearer("let-go", "device", "d1");
  for (const body of ["{", "  ", "[1]", "x".repeat(5_000_000), JSON.stringify([report(1)])])
    await send({ body, headers });
  await send({ body: "x", headers: { ...headers, "content-encoding": "gzip" } });
  await send({ body: "x", headers: { ...headers, "content-type": "text/html" } });
  await send({ body: "x" });
  expect(inFlight.all).toEqual({ requests: 0, bytes: 0 });
});

it("[F17] a gateway's frames are let go of too, a binary one and one that is no frame", async () => {
  const socket = await connect("frames-let-go");
  socket.send(new Uint8Array(100).buffer);
  socket.send("{");
  socket.send(frame(2, { device: "d1" }));
  await socket.until((got) => got.type === "ack" && got.seq === 2);
  await vi.waitFor(() => expect(inFlight.all).toEqual({ requests: 0, bytes: 0 }));
});

it("[F17] a gateway whose frames are too much is told to slow down and cut off; what it sent before is acknowledged", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const socket = await connect("full-gateway");
  socket.send(frame(0, { device: "d1" }));
  await socket.until((got) => got.type === "ack" && got.seq === 0);
  busy(IN_FLIGHT_BYTES_MAX);
  socket.send(frame(1, { device: "d1" }));
  expect(await socket.closed).toBe(1013);
  expect(socket.frames.at(-1)).toEqual({ type: "slow", retryAfterMs: 1_000 });
  expect(await held(env.DEVICE.getByName("full-gateway/d1"), "a")).toHaveLength(1);
  vi.restoreAllMocks();
});

it("[F17] what the runtime dropped without a word counts no more after a minute", () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const all = new InFlight();
  const lost = all.hold("t", IN_FLIGHT_BYTES_MAX / 2);
  expect(() => all.hold("t", 1)).toThrow("too much is under way");
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
  onTestFinished(() => void vi.useRealTimers());
  all.hold("t", 1);
  lost.grow(5);
  lost.release();
  expect(all.all).toEqual({ requests: 1, bytes: 1 });
  vi.restoreAllMocks();
});

it("[F17] of one device 16 MiB of reports wait for a commit; more is told to come again, and what waits is stored", async () => {
  const stub = env.DEVICE.getByName("waiting/d1");
  await changeSettings(env.TENANT, "waiting", { limits: { reportsPerSecondPerDevice: null } });
  await stub.report(packed([T0, { a: 1 }]), T0);
  const large = new ReportPacker();
  for (let i = 0; i < 200_000; i++) large.add(i, T0, T0, ["a"], [1]); // 8 MB
  const outcomes = await runInDurableObject<DeviceObject, string[]>(stub, async (object) => {
    const calls = Array.from({ length: 4 }, () => object.report(large.finish(), T0));
    return (await Promise.allSettled(calls)).map(({ status }) => status);
  });
  expect(outcomes).toEqual(["fulfilled", "fulfilled", "rejected", "rejected"]);
});
