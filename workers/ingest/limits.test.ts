import { env } from "cloudflare:test";
import { expect, it, onTestFinished, vi } from "vitest";
import type { ProblemDocument } from "../../schemas/error.ts";
import type { DeviceRpc } from "../../schemas/message.ts";
import type { DeviceEntry } from "../../schemas/query.ts";
import type { ServerFrame, TelemetryAnswer } from "../../schemas/reading.ts";
import { answerOf, ask } from "../api/api-test-support.ts";
import { changeSettings, readUse } from "../tenant.ts";
import { bearer, held, problem, rowsWritten, T0, TestSocket, upgrade } from "../test-support.ts";
import type { IngestEnv } from "./env.ts";
import { ingestEnv, send } from "./ingest-test-support.ts";
import { ingest } from "./worker.ts";

type Limited = ProblemDocument & TelemetryAnswer;

/** So slow that nothing comes back while a test runs. */
const SLOW = 0.001;

const limit = (tenant: string, burstPerDevice: number, reportsPerSecondPerDevice: number | null = SLOW) =>
  changeSettings(env.TENANT, tenant, { limits: { reportsPerSecondPerDevice, burstPerDevice } });

const reports = (count: number, more: object = {}) =>
  Array.from({ length: count }, (_, i) => ({ at: T0 + i, metrics: { a: i, b: i }, ...more }));

const post = async (tenant: string, body: unknown, device?: string) =>
  await send({
    body: JSON.stringify(body),
    headers: await bearer(tenant, device === undefined ? "gateway" : "device", device),
  });

it("[F1] [F2] a device's reports over its limit are 429: the first are stored, the others named, and taken when sent again", async () => {
  await limit("rate", 4);
  const sent = reports(10);
  const response = await post("rate", sent, "d1");
  expect(response.headers.get("retry-after")).toBe("4000");
  const answer = (await problem(response, 429, "rate_limited")) as Limited;
  expect(answer).toMatchObject({
    stored: 8,
    refused: 12,
    limitedReports: [[4, 10]],
    retryAfterMs: 4_000_000,
  });
  expect(answer.problems).toMatchObject([{ index: 4, code: "rate_limited", retryAfterMs: 4_000_000 }]);
  const device = env.DEVICE.getByName("rate/d1");
  expect(await held(device, "a")).toHaveLength(4);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + answer.retryAfterMs! });
  onTestFinished(() => void vi.useRealTimers());
  const again = await post("rate", sent.slice(...answer.limitedReports![0]!), "d1");
  expect([again.status, (await again.json<Limited>()).limitedReports]).toEqual([429, [[4, 6]]]);
  expect(await held(device, "a")).toHaveLength(8);
});

it("[F2] of a gateway's request only the mad device's reports are refused, and the ranges say which", async () => {
  await limit("mad", 2);
  const body = [0, 1, 2, 3].flatMap((i) => [
    { device: "mad", at: T0 + i, metrics: { a: i } },
    ...(i % 2 === 0 ? [{ device: `calm-${i}`, at: T0, metrics: { a: i } }] : []),
  ]);
  const answer = (await problem(post("mad", body), 429, "rate_limited")) as Limited;
  expect(answer).toMatchObject({
    stored: 4,
    refused: 2,
    limitedReports: [
      [3, 4],
      [5, 6],
    ],
  });
  expect(answer.problems).toMatchObject([{ index: 3, code: "rate_limited" }]);
  for (const i of [0, 2]) expect(await held(env.DEVICE.getByName(`mad/calm-${i}`), "a")).toEqual([[T0, i]]);
});

it("[F3] a request of which nothing is taken writes no row", async () => {
  await limit("nothing", 1);
  expect((await post("nothing", reports(1), "d1")).status).toBe(200);
  const device = env.DEVICE.getByName("nothing/d1");
  const rows = await rowsWritten(device);
  for (let i = 0; i < 20; i++) await problem(post("nothing", reports(3), "d1"), 429, "rate_limited");
  expect(await rowsWritten(device)).toBeLessThanOrEqual(rows + 1); // that registry and zone know it
  expect(await held(device, "a")).toHaveLength(1);
});

it("[F1] without a limit a device sends what it likes", async () => {
  await limit("free", 1, null);
  expect(await (await post("free", reports(500), "d1")).json()).toMatchObject({ stored: 1_000, refused: 0 });
});

const connect = async (tenant: string, device?: string, commitEveryMs = 0) => {
  const who = await bearer(tenant, device === undefined ? "gateway" : "device", device);
  const query = device === undefined ? "" : `?commitEveryMs=${commitEveryMs}`;
  const headers = { ...who, "telltale-clock": String(T0) };
  return await ingest.fetch(upgrade(`/v1/connect${query}`, headers), ingestEnv, {} as ExecutionContext);
};

const frame = (seq: number, more: object = {}) => ({
  type: "report",
  seq,
  at: T0 + seq,
  clockMs: T0 + seq,
  metrics: { a: seq },
  ...more,
});

it("[F4] frames that come too fast are told so by their number and not taken; nothing is acknowledged over their head", async () => {
  await limit("frames", 4); // one for the connection
  const socket = new TestSocket<ServerFrame>(await connect("frames", "d1"));
  for (let seq = 0; seq < 6; seq++) socket.send(frame(seq));
  await socket.until((got) => got.type === "slow" && got.seq === 5);
  const slow = socket.frames.filter(({ type }) => type === "slow");
  expect(slow).toMatchObject([{ seq: 3 }, { seq: 4 }, { seq: 5 }]);
  const acks = socket.frames.flatMap((got) => (got.type === "ack" ? [got.seq] : []));
  expect(Math.max(...acks)).toBe(2);
  expect(await held(env.DEVICE.getByName("frames/d1"), "a")).toHaveLength(3);
});

it("[F4] after the time it was told, the device sends again from there on, and all is stored once", async () => {
  const startMs = Date.now();
  vi.useFakeTimers({ toFake: ["Date"], now: startMs });
  onTestFinished(() => void vi.useRealTimers());
  await limit("again", 3, 20); // one for the connection
  const socket = new TestSocket<ServerFrame>(await connect("again", "d1"));
  for (let seq = 0; seq < 5; seq++) socket.send(frame(seq));
  const told = await socket.until((got) => got.type === "slow" && got.seq === 4);
  vi.setSystemTime(startMs + (told as { retryAfterMs: number }).retryAfterMs);
  for (let seq = 2; seq < 5; seq++) socket.send(frame(seq));
  const ack = await socket.until((got) => got.type === "ack" && got.seq === 4);
  expect(ack).toMatchObject({ stored: 1 });
  expect((await held(env.DEVICE.getByName("again/d1"), "a")).map(([, value]) => value)).toEqual([
    0, 1, 2, 3, 4,
  ]);
});

it("[F4] a device that goes on all the same is cut off", async () => {
  await limit("deaf", 2);
  const socket = new TestSocket<ServerFrame>(await connect("deaf", "d1"));
  for (let seq = 0; seq < 150; seq++) socket.send(frame(seq));
  expect(await socket.closed).toBe(1013);
  expect(socket.frames.filter(({ type }) => type === "slow").length).toBeLessThanOrEqual(101);
});

it("[F4] on a gateway's socket only the device that is too fast is refused", async () => {
  await limit("many", 1);
  const socket = new TestSocket<ServerFrame>(await connect("many"));
  for (const [seq, device] of ["mad", "mad", "calm"].entries()) socket.send(frame(seq, { device }));
  await socket.until((got) => got.type === "ack" && got.seq === 2);
  expect(socket.frames).toMatchObject([
    { type: "ack", seq: 0, stored: 1 },
    { type: "problem", seq: 1, code: "rate_limited" },
    { type: "slow", seq: 1, device: "mad" },
    { type: "ack", seq: 1, stored: 0, refused: 1 },
    { type: "ack", seq: 2, stored: 1, refused: 0 },
  ]);
});

it("[F5] a device that connects too often is refused the upgrade", async () => {
  await limit("knocking", 2);
  for (let i = 0; i < 2; i++) new TestSocket(await connect("knocking", "d1"));
  const refused = await connect("knocking", "d1");
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  await problem(refused, 429, "rate_limited");
});

it("[F19] a device's own rate counts before its model's and that before its tenant's, also of one made ahead", async () => {
  const put = (path: string, body: object, role: "operator" | "admin" = "admin") =>
    ask("own", role, path, { method: "PUT", body });
  const rate = (burst: number) => ({ reportsPerSecond: SLOW, burst });
  await answerOf(put("/v1/tenant", { limits: { burstPerDevice: 7, models: { thermo: rate(3) } } }));
  const stored = async (device: string) =>
    (await (await post("own", reports(9), device)).json<TelemetryAnswer>()).stored / 2;
  await answerOf(put("/v1/devices/own", { model: "thermo", limits: rate(2) }));
  await answerOf(put("/v1/devices/modelled", { model: "thermo" }));
  expect([await stored("own"), await stored("modelled")]).toEqual([2, 3]);
  expect(await answerOf(ask("own", "viewer", "/v1/devices/own"))).toMatchObject({ limits: rate(2) });
  expect(await answerOf(put("/v1/devices/own", { limits: null }))).toMatchObject({ limits: null });
  await answerOf(put("/v1/tenant", { limits: { models: { thermo: { reportsPerSecond: null, burst: 1 } } } }));
  await vi.waitFor(async () => expect((await post("own", reports(9), "own")).status).toBe(200));
});

it("[F19] [F7] [Q22] a rate out of its range is refused, and only an admin changes one", async () => {
  const put = (path: string, body: unknown, role: "operator" | "admin" = "admin") =>
    ask("owned", role, path, { method: "PUT", body });
  const limits = { reportsPerSecond: 1, burst: 5 };
  for (const wrong of [{ ...limits, reportsPerSecond: 0 }, { ...limits, burst: 0 }, { burst: 5 }, 7])
    await problem(put("/v1/devices/d", { limits: wrong }), 400, "invalid_body");
  await problem(put("/v1/devices/d", { limits: { ...limits, brust: 5 } }), 400, "unknown_setting");
  const models = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`m${i}`, limits]));
  await problem(put("/v1/tenant", { limits: { models } }), 400, "invalid_body");
  await problem(
    put("/v1/tenant", '{"limits":{"models":{"__proto__":{"reportsPerSecond":1,"burst":1}}}}'),
    400,
    "invalid_body",
  );
  const made = await answerOf<DeviceEntry>(put("/v1/devices/d", { limits }));
  await problem(put("/v1/devices/d", { limits: null }, "operator"), 403, "forbidden");
  expect(await answerOf(put("/v1/devices/d", { ...made, name: "D" }, "operator"))).toEqual({
    ...made,
    name: "D",
  });
});

/** The bindings, with every call of a device's object noted. */
function noted(): { env: IngestEnv; calls: unknown[][] } {
  const calls: unknown[][] = [];
  const getByName = (name: string) => ({
    report: (...call: Parameters<DeviceRpc["report"]>) => {
      calls.push(call);
      return env.DEVICE.getByName(name).report(...call);
    },
  });
  return { env: { ...ingestEnv, DEVICE: { getByName } as unknown as IngestEnv["DEVICE"] }, calls };
}

it("[F44] [F45] [F47] a device that has sent all it may is refused without its object being asked, which hears of it with the next request", async () => {
  const startMs = Date.now();
  vi.useFakeTimers({ toFake: ["Date"], now: startMs });
  onTestFinished(() => void vi.useRealTimers());
  await limit("unasked", 2);
  const { env: own, calls } = noted();
  const headers = await bearer("unasked", "device", "d1");
  const sendTo = (count: number, query = "") =>
    send({ path: `/v1/telemetry${query}`, body: JSON.stringify(reports(count)), headers, env: own });
  expect((await sendTo(2)).status).toBe(200);
  for (let i = 0; i < 20; i++) {
    const answer = (await problem(sendTo(3), 429, "rate_limited")) as Limited;
    expect(answer).toMatchObject({
      stored: 0,
      refused: 6,
      limitedReports: [[0, 3]],
      retryAfterMs: 2_000_000,
    });
    expect(answer.problems).toMatchObject([{ index: 0, code: "rate_limited" }]);
  }
  const each = (await problem(sendTo(1, "?verdicts=each"), 429, "rate_limited")) as Limited;
  expect(each.verdicts).toMatchObject([
    { metric: "a", verdict: "refused", code: "rate_limited" },
    { metric: "b", verdict: "refused", code: "rate_limited" },
  ]);
  expect(calls).toHaveLength(1);
  vi.setSystemTime(startMs + 500);
  await problem(sendTo(1), 429, "rate_limited");
  expect(calls).toHaveLength(2);
  expect(calls[1]![3]).toEqual({ reports: 61, readings: 122 });
  vi.setSystemTime(startMs + 60_000);
  await problem(sendTo(1), 429, "rate_limited");
  await vi.waitFor(async () => {
    const { refused } = await readUse(env.TENANT, "unasked");
    expect(refused.rate_limited).toBe(122 + 2 + 2);
  });
});

it("[F46] a device over its limit hears half a second late that its token was revoked", async () => {
  const startMs = Date.now();
  vi.useFakeTimers({ toFake: ["Date"], now: startMs });
  onTestFinished(() => void vi.useRealTimers());
  await limit("void", 1);
  const headers = await bearer("void", "device", "d1");
  const sendOne = () => send({ body: JSON.stringify(reports(1)), headers });
  expect((await sendOne()).status).toBe(200);
  vi.setSystemTime(startMs + 1_000); // a revocation is of all before its second
  await problem(sendOne(), 429, "rate_limited");
  expect(await env.DEVICE.getByName("void/d1").revoke({ notBeforeMs: startMs + 1_000 })).toBe(true);
  await problem(sendOne(), 429, "rate_limited");
  vi.setSystemTime(startMs + 1_500);
  await problem(sendOne(), 401, "token_revoked");
});
