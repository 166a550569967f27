import { createExecutionContext, env } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import type { ServerFrame } from "../../schemas/reading.ts";
import { bearer, held, T0, TestSocket, upgrade } from "../test-support.ts";
import type { IngestEnv } from "./env.ts";
import { ingest } from "./worker.ts";

const ingestEnv = env as unknown as IngestEnv;

afterEach(() => {
  vi.restoreAllMocks();
});

const open = async (headers: Record<string, string>, own = ingestEnv, path = "/v1/connect") =>
  await ingest.fetch(
    upgrade(path, { "telltale-clock": String(T0), ...headers }),
    own,
    createExecutionContext(),
  );
const connect = async (headers: Record<string, string>, own = ingestEnv) =>
  new TestSocket<ServerFrame>(await open(headers, own));

const report = (seq: number, device: string | undefined, metrics: object = { a: seq }) => ({
  type: "report",
  seq,
  device,
  at: T0 + seq * 1000,
  clockMs: T0 + seq * 1000,
  metrics,
});

it("[I1] a device's socket ends in its object, by header, by subprotocol or by query", async () => {
  const { authorization } = await bearer("door", "device", "d1");
  const token = authorization.slice("Bearer ".length);
  const offered = await open({ "sec-websocket-protocol": `telltale.v1, bearer.${token}` });
  expect(offered.headers.get("sec-websocket-protocol")).toBe("telltale.v1");
  const responses = [
    await open({ authorization }),
    offered,
    await open({}, ingestEnv, `/v1/connect?access_token=${token}`),
  ];
  for (const [seq, response] of responses.entries()) {
    const socket = new TestSocket<ServerFrame>(response);
    socket.send(report(seq, undefined));
    expect(await socket.until(({ type }) => type === "ack")).toMatchObject({ seq, stored: 1 });
  }
  expect(await held(env.DEVICE.getByName("door/d1"), "a")).toEqual([
    [T0, 0],
    [T0 + 1000, 1],
    [T0 + 2000, 2],
  ]);
});

it("[I4] a socket without a token, or of a viewer, is not opened", async () => {
  expect((await open({})).status).toBe(401);
  expect((await open(await bearer("door", "viewer"))).status).toBe(403);
});

it("[I19] a gateway's frames are acknowledged in order, each after its device's commit", async () => {
  const socket = await connect(await bearer("gate", "gateway"));
  for (let seq = 0; seq < 40; seq++) socket.send(report(seq, `d${seq % 7}`));
  for (let seq = 0; seq < 40; seq++) {
    await socket.until((frame) => frame.type === "ack" && frame.seq === seq);
    expect((await held(env.DEVICE.getByName(`gate/d${seq % 7}`), "a")).map(([, value]) => value)).toContain(
      seq,
    );
  }
  expect(socket.frames.map((frame) => frame.type === "ack" && frame.seq)).toEqual(
    Array.from({ length: 40 }, (_, seq) => seq),
  );
});

it("[I7] [I18] a gateway's bad frames get their problems and spoil no other", async () => {
  const socket = await connect(await bearer("gate-bad", "gateway"));
  socket.send(report(0, "d1"));
  socket.send(new ArrayBuffer(8));
  socket.send("{");
  socket.send(report(1, undefined));
  socket.send(report(2, "d1", { a: 2, b: "x" }));
  expect(await socket.until((frame) => frame.type === "ack" && frame.seq === 2)).toMatchObject({
    stored: 1,
    refused: 1,
  });
  expect(socket.frames.map((frame) => (frame.type === "problem" ? frame.code : frame.type))).toEqual([
    "ack",
    "unsupported_frame",
    "malformed_json",
    "device_missing",
    "ack",
    "not_a_number",
    "ack",
  ]);
});

it("[I19] when an object is away its frame is not acknowledged and the socket closes; resent it is stored", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const headers = await bearer("gate-away", "gateway");
  const away = {
    ...ingestEnv,
    DEVICE: {
      getByName: (name: string) => {
        if (name === "gate-away/d2") throw new Error("away");
        return env.DEVICE.getByName(name);
      },
    } as unknown as IngestEnv["DEVICE"],
  };
  const socket = await connect(headers, away);
  for (const [seq, device] of ["d1", "d2", "d3"].entries()) socket.send(report(seq, device));
  expect(await socket.closed).toBe(1011);
  expect(socket.frames).toMatchObject([{ type: "ack", seq: 0 }]);
  const again = await connect(headers);
  for (const [seq, device] of ["d1", "d2", "d3"].entries()) again.send(report(seq, device));
  await again.until((frame) => frame.type === "ack" && frame.seq === 2);
  expect(again.frames).toMatchObject([{ duplicate: 1 }, { stored: 1 }, { stored: 1 }]);
});

it("[I19] a gateway that sends without waiting is told to slow down", async () => {
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = {
    ...ingestEnv,
    DEVICE: {
      getByName: () => ({ report: () => gate.then(() => ({ counts: [1, 0, 0, 0, 0, 0], problems: [] })) }),
    } as unknown as IngestEnv["DEVICE"],
  };
  const socket = await connect(await bearer("gate-slow", "gateway"), slow);
  for (let seq = 0; seq < 1_001; seq++) socket.send(report(seq, "d1"));
  expect(await socket.until(({ type }) => type === "slow")).toMatchObject({
    retryAfterMs: expect.any(Number),
  });
  expect(await socket.closed).toBe(1013);
  release();
});
