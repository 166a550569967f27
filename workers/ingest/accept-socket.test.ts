import { createExecutionContext, env } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import type { ServerFrame } from "../../schemas/reading.ts";
import { bearer, held, problem, T0, TestSocket, upgrade } from "../test-support.ts";
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

it("[F25] what an object is asked has no token in it, wherever the token was, and keeps the subprotocol", async () => {
  const { authorization } = await bearer("door", "device", "d1");
  const token = authorization.slice("Bearer ".length);
  const seen: Request[] = [];
  const fetch = async (request: Request) => {
    seen.push(request);
    return new Response("seen");
  };
  const object = { fetch };
  const own = { ...ingestEnv, DEVICE: { getByName: () => object } } as unknown as IngestEnv;
  const query = `?commitEveryMs=50&access_token=${token}`;
  await open({ authorization, cookie: `CF_Authorization=${token}`, "cf-access-jwt-assertion": token }, own);
  await open({ "sec-websocket-protocol": `bearer.${token},telltale.v1` }, own);
  await open({ "sec-websocket-protocol": `bearer.${token}` }, own);
  await open({}, own, `/v1/connect${query}`);
  const shown = seen.map(({ url, headers }) => [new URL(url).search, headers.get("sec-websocket-protocol")]);
  expect(shown).toEqual([
    ["", null],
    ["", "telltale.v1"],
    ["", null],
    ["?commitEveryMs=50", null],
  ]);
  for (const { url, headers } of seen) {
    expect(JSON.stringify([url, ...headers])).not.toContain(token);
    expect(headers.get("upgrade")).toBe("websocket");
  }
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

it.each(["device", "gateway"] as const)(
  "[I11] [I26] a %s's frame with bare words and long integers keeps its good readings",
  async (role) => {
    const device = role === "device" ? "d1" : undefined;
    const socket = await connect(await bearer(`odd-${role}`, role, device));
    const named = role === "gateway" ? '"device":"d1",' : "";
    const metrics = '{"bad":-nan,"worse":+Inf,"count":9007199254740993,"good":1}';
    socket.send(
      `{"type":"report","seq":3,${named}"at":"20261122 100000,5+00","clockMs":${T0},"metrics":${metrics}}`,
    );
    socket.send('{"type":"flush"}');
    expect(await socket.until(({ type }) => type === "ack")).toMatchObject({ seq: 3, stored: 2, refused: 2 });
    expect(socket.frames.filter(({ type }) => type === "problem")).toMatchObject([
      { seq: 3, metric: "bad", code: "not_finite" },
      { seq: 3, metric: "worse", code: "not_finite" },
      { seq: 3, metric: "count", code: "precision_lost" },
    ]);
    expect((await held(env.DEVICE.getByName(`odd-${role}/d1`), "count")).map(([, value]) => value)).toEqual([
      2 ** 53,
    ]);
  },
);

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

it("[I23] fields that mean nothing in a gateway's frame are one problem, and its readings are acknowledged", async () => {
  const socket = await connect(await bearer("gate-fields", "gateway"));
  socket.send({ ...report(0, "d1"), unit: "C", tags: [] });
  socket.send({ type: "flush", seq: 1 });
  socket.send(report(2, "d1"));
  expect(await socket.until((frame) => frame.type === "ack" && frame.seq === 2)).toMatchObject({ stored: 1 });
  expect(socket.frames).toMatchObject([
    { type: "problem", seq: 0, code: "unknown_field", message: expect.stringContaining('"unit", "tags"') },
    { type: "ack", seq: 0, stored: 1, refused: 0 },
    { type: "problem", code: "unknown_field" },
    { type: "ack", seq: 2, stored: 1, refused: 0 },
  ]);
});

it.each([
  ["device", "commitEveryMs=0", 101],
  ["device", "commitEveryMs=900000", 101],
  ["device", "commitEveryMs=900001", 400],
  ["device", "commitEveryMs=-1", 400],
  ["device", "commitEveryMs=1e3", 400],
  ["device", "commitEveryMs=", 400],
  ["device", "commitEveryMs=1&commitEveryMs=2", 400],
  ["gateway", "commitEveryMs=0", 101],
  ["gateway", "commitEveryMs=1", 400],
] as const)("[I24] a %s that asks for %s: %d", async (role, query, status) => {
  const headers = await bearer("often", role, role === "device" ? "d1" : undefined);
  const response = await open(headers, ingestEnv, `/v1/connect?${query}`);
  expect(response.status).toBe(status);
  if (status === 400) await problem(response, 400, "invalid_query");
});

it("[F22] what waits on a gateway's socket is at most 8 MiB", async () => {
  const DEVICE = { getByName: () => ({ report: () => new Promise(() => undefined) }) };
  const silent = { ...ingestEnv, DEVICE } as unknown as IngestEnv;
  const socket = await connect(await bearer("gate-fat", "gateway"), silent);
  socket.send(report(0, "d1"));
  for (let i = 0; i < 8; i++) socket.send("x".repeat(1024 * 1024));
  expect(await socket.until(({ type }) => type === "slow")).toMatchObject({ retryAfterMs: 1_000 });
  expect(await socket.closed).toBe(1013);
});
