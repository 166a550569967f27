import { env, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { decodeState } from "../../../core/device/state.ts";
import type { ServerFrame } from "../../../schemas/reading.ts";
import { type DeviceStub, held, packed, rowsWritten, T0, TestSocket, upgrade } from "../../test-support.ts";
import { DeviceSocket } from "./device-sockets.ts";

const connect = async (device: DeviceStub, commitEveryMs: number, headers: Record<string, string> = {}) =>
  new TestSocket<ServerFrame>(
    await device.fetch(
      upgrade(`/v1/connect?commitEveryMs=${commitEveryMs}`, { "telltale-clock": String(T0), ...headers }),
    ),
  );

const report = (seq: number, metrics: object, more: object = {}) => ({
  type: "report",
  seq,
  at: T0 + seq * 1000,
  clockMs: T0 + seq * 1000,
  metrics,
  ...more,
});

it("[D6] the acknowledgement comes after the commit: when it is heard, the reading is there", async () => {
  const device = env.DEVICE.getByName("sockets/after");
  const socket = await connect(device, 0);
  for (let seq = 0; seq < 20; seq++) {
    socket.send(report(seq, { a: seq }));
    await socket.until((frame) => frame.type === "ack" && frame.seq === seq);
    expect(await held(device, "a")).toHaveLength(seq + 1);
  }
});

it("[D5] [D6] nothing is acknowledged before it is due; flush commits what waits, and with nothing waiting does nothing", async () => {
  const device = env.DEVICE.getByName("sockets/flush");
  const socket = await connect(device, 60_000);
  for (let seq = 0; seq < 5; seq++) socket.send(report(seq, { a: seq, b: seq }));
  socket.send("{}");
  await socket.until(({ type }) => type === "problem");
  expect(socket.frames).toHaveLength(1);
  expect(await rowsWritten(device)).toBe(0);

  socket.send({ type: "flush" });
  expect(await socket.until(({ type }) => type === "ack")).toEqual({
    type: "ack",
    seq: 4,
    stored: 10,
    duplicate: 0,
    corrected: 0,
    late: 0,
    quarantined: 0,
    refused: 0,
  });
  socket.send({ type: "flush" });
  socket.send(report(5, { a: 5 }));
  socket.send({ type: "flush" });
  expect(await socket.until((frame) => frame.type === "ack" && frame.seq === 5)).toMatchObject({ stored: 1 });
  expect(socket.frames.filter(({ type }) => type === "ack")).toHaveLength(2);
});

it("[I23] fields that mean nothing in a frame are one problem, and the acknowledgement is as without them", async () => {
  const socket = await connect(env.DEVICE.getByName("sockets/fields"), 60_000);
  socket.send(report(0, { a: 0, b: 1 }, { metricz: {}, unit: "C" }));
  socket.send({ type: "flush", now: true });
  expect(await socket.until(({ type }) => type === "ack")).toMatchObject({ seq: 0, stored: 2, refused: 0 });
  expect(socket.frames).toMatchObject([
    {
      type: "problem",
      seq: 0,
      code: "unknown_field",
      message: expect.stringContaining('did you mean "metrics"'),
    },
    { type: "problem", code: "unknown_field", message: expect.stringContaining('"now"') },
    { type: "ack" },
  ]);
});

it("[I20] what a device says of the time in a local run holds for a flush and a closing too", async () => {
  const device = env.DEVICE.getByName("sockets/clock");
  const socket = await connect(device, 60_000);
  socket.send(report(0, { a: 0 }));
  socket.send({ type: "flush" });
  await socket.until(({ type }) => type === "ack");
  const clockOffsetMs = await runInDurableObject(
    device,
    (_, { storage }) =>
      decodeState(new Uint8Array(storage.sql.exec<{ row: ArrayBuffer }>("SELECT row FROM state").one().row))
        .clockOffsetMs,
  );
  expect(Math.abs(clockOffsetMs - (T0 - Date.now()))).toBeLessThan(60_000);
});

it("[D5] [D37] the oldest report decides when all are due: at commitEveryMs, not before", async () => {
  const device = env.DEVICE.getByName("sockets/due");
  const socket = await connect(device, 10_000);
  for (const clockMs of [0, 9_999, 10_000, 19_999, 20_001]) {
    socket.send({ type: "report", seq: clockMs, at: T0 + clockMs, clockMs: T0 + clockMs, metrics: { a: 1 } });
  }
  socket.send({ type: "flush" });
  await socket.until((frame) => frame.type === "ack" && frame.seq === 20_001);
  expect(socket.frames.map((frame) => frame.type === "ack" && frame.seq)).toEqual([10_000, 20_001]);
});

it("[I18] a bad frame gets its problem and spoils neither the socket nor what waits", async () => {
  const device = env.DEVICE.getByName("sockets/bad-frames");
  const socket = await connect(device, 60_000);
  socket.send(report(0, { a: 0 }));
  socket.send(new TextEncoder().encode(JSON.stringify(report(1, { a: 1 }))).buffer as ArrayBuffer);
  socket.send(JSON.stringify(report(1, { [`a${"x".repeat(65_536)}`]: 1 })));
  socket.send('{"type":"report","seq":1,"metrics":{"a"');
  socket.send({ type: "report", metrics: { a: 1 } });
  socket.send({ type: "report", seq: -1, metrics: { a: 1 } });
  socket.send({ type: "hello" });
  socket.send("null");
  socket.send(report(1, { a: 1 }));
  socket.send({ type: "flush" });
  expect(await socket.until(({ type }) => type === "ack")).toMatchObject({ seq: 1, stored: 2, refused: 0 });
  expect(socket.frames.map((frame) => (frame.type === "problem" ? frame.code : frame.type))).toEqual([
    "unsupported_frame",
    "frame_too_large",
    "malformed_json",
    "missing_seq",
    "missing_seq",
    "invalid_frame",
    "invalid_frame",
    "ack",
  ]);
  expect(await held(device, "a")).toEqual([
    [T0, 0],
    [T0 + 1000, 1],
  ]);
});

it("[I6] [I18] a report of another device is refused by its seq, its readings counted, and its own are kept", async () => {
  const device = env.DEVICE.getByName("sockets/own");
  const socket = await connect(device, 60_000);
  socket.send(report(0, { a: 0 }, { device: "own" }));
  socket.send(report(1, { a: 1, b: 1 }, { device: "other" }));
  socket.send({ type: "flush" });
  expect(await socket.until(({ type }) => type === "ack")).toMatchObject({ seq: 1, stored: 1, refused: 2 });
  expect(socket.frames[0]).toMatchObject({ type: "problem", seq: 1, code: "device_mismatch" });
  expect(await env.DEVICE.getByName("sockets/other").latest()).toBeNull();
});

it("[I10] [I11] a bad reading costs its report no other, and is counted in the acknowledgement", async () => {
  const device = env.DEVICE.getByName("sockets/not-finite");
  const socket = await connect(device, 60_000);
  socket.send(
    `{"type":"report","seq":7,"clockMs":${T0},"at":${T0},"metrics":{"a":1,"b":NaN,"c":1e999,"d":"two"}}`,
  );
  socket.send({ type: "flush" });
  expect(await socket.until(({ type }) => type === "ack")).toMatchObject({ seq: 7, stored: 1, refused: 3 });
  const problems = socket.frames.filter((frame) => frame.type === "problem");
  expect(problems.map(({ seq, metric, code }) => [seq, metric, code])).toEqual([
    [7, "b", "not_finite"],
    [7, "c", "not_finite"],
    [7, "d", "not_a_number"],
  ]);
});

it("[D6] a report of which nothing is good is acknowledged too, and a reading the device refuses names its seq", async () => {
  const device = env.DEVICE.getByName("sockets/nothing-good");
  const socket = await connect(device, 60_000);
  socket.send(report(3, { a: "x" }));
  socket.send({ type: "report", seq: 4, at: T0 - 30 * 86_400_000, clockMs: T0 + 4000, metrics: { a: 1 } });
  socket.send({ type: "flush" });
  expect(await socket.until(({ type }) => type === "ack")).toMatchObject({ seq: 4, stored: 0, refused: 2 });
  expect(socket.frames.slice(0, 2)).toMatchObject([
    { type: "problem", seq: 3, code: "not_a_number" },
    { type: "problem", seq: 4, code: "too_old" },
  ]);
});

it("[D6] two sockets of a device share a commit, and each is told of its own", async () => {
  const device = env.DEVICE.getByName("sockets/two");
  const [first, second] = [await connect(device, 60_000), await connect(device, 60_000)];
  first.send(report(1, { a: 1 }));
  second.send(report(2, { b: 2, c: 3 }));
  await held(device, "a"); // lets both be taken
  first.send({ type: "flush" });
  expect(await first.until(({ type }) => type === "ack")).toMatchObject({ seq: 1, stored: 1 });
  second.send({ type: "flush" });
  expect(await second.until(({ type }) => type === "ack")).toMatchObject({ seq: 2, stored: 2 });
});

it("[D38] a device has at most four sockets: the oldest is closed, and what it held is kept", async () => {
  const device = env.DEVICE.getByName("sockets/many");
  const oldest = await connect(device, 60_000);
  oldest.send(report(0, { a: 0 }));
  for (let i = 0; i < 4; i++) await connect(device, 60_000);
  expect(await oldest.closed).toBe(4001);
  expect(await held(device, "a")).toEqual([[T0, 0]]);
});

it("[D38] pings are answered, the subprotocol is agreed, and latest says who is connected", async () => {
  const device = env.DEVICE.getByName("sockets/protocol");
  const response = await device.fetch(
    upgrade("/v1/connect", {
      "sec-websocket-protocol": "bearer.x, telltale.v1",
      "telltale-clock": String(T0),
    }),
  );
  expect(response.headers.get("sec-websocket-protocol")).toBe("telltale.v1");
  const socket = new TestSocket<ServerFrame>(response);
  socket.send(report(0, { a: 0 }));
  expect(await socket.until(({ type }) => type === "ack")).toMatchObject({ seq: 0 }); // the tenant's default: at once
  expect(await device.latest()).toMatchObject({ connected: true });
  socket.close();
  await socket.closed;
  expect(await device.latest()).toMatchObject({ connected: false });
});

it("[L5] latest sees a report when it comes, before its commit", async () => {
  const device = env.DEVICE.getByName("sockets/live");
  const socket = await connect(device, 60_000);
  socket.send(report(0, { a: 41 }));
  socket.send("{}");
  await socket.until(({ type }) => type === "problem");
  expect(await device.latest()).toMatchObject({ metrics: { a: { value: 41 } } });
  expect(await held(device, "a")).toEqual([]);
});

it.each([
  ["missing", null],
  ["no object", "held"],
  ["of another version", { version: 9, confirmed: [] }],
  ["without confirmations", { version: 1 }],
])(
  "[D45] a socket whose attachment is %s is closed, and says what to do; reports and other sockets go on",
  async (what, attachment) => {
    const device = env.DEVICE.getByName(`sockets/odd-${what.replaceAll(" ", "-")}`);
    const [one, other] = [await connect(device, 60_000), await connect(device, 60_000)];
    for (const socket of [one, other]) {
      socket.send("{}");
      await socket.until(({ type }) => type === "problem");
    }
    await evictDurableObject(device);
    await runInDurableObject(device, (_, state) => state.getWebSockets()[0]!.serializeAttachment(attachment));
    expect((await device.report(packed([T0, { a: 1 }]), T0)).counts[0]).toBe(1);
    expect(await Promise.race([one.closed, other.closed])).toBe(1011);
    for (const socket of [one, other]) {
      try {
        socket.send(report(1, { b: 1 }));
        socket.send({ type: "flush" });
      } catch {
        // It is the one that was closed.
      }
    }
    await Promise.race([one, other].map((socket) => socket.until(({ type }) => type === "ack")));
    expect(await held(device, "b")).toEqual([[T0 + 1_000, 1]]);
    expect(await device.latest()).toMatchObject({ connected: true });
  },
);

it("[D46] however full it is, an attachment stays within what the platform takes", () => {
  for (const names of [["a"], Array.from({ length: 20 }, (_, i) => `метрика-${i}`)]) {
    const { 1: ws } = new WebSocketPair();
    expect(() => ws.serializeAttachment("x".repeat(16_400))).toThrow(/16384/);
    const opening = { commitEveryMs: 900_000, clockOffsetMs: 0, subprotocol: "telltale.v1" };
    const socket = new DeviceSocket(ws, opening);
    const receipt = { startMs: T0, revision: 2 ** 31, generation: T0 };
    let noted = 0;
    for (let seq = 0; !socket.isDue(T0); seq++) {
      const values = names.map((_, index) => index);
      socket.hold(
        seq,
        T0,
        { device: undefined, at: T0 + seq, names, values },
        { refused: 0, isExcess: false },
      );
      if (socket.isDue(T0)) break;
      socket.keep();
      if (seq % 20 === 19 && socket.noteConfirmed([receipt, receipt])) noted += 2;
    }
    while (socket.noteConfirmed([receipt])) noted += 1;
    expect(noted).toBeGreaterThan(0);
  }
});
