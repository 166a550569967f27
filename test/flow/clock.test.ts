// A server whose clock nobody may set, as every deployed one; that a local one may be, the replay of Beijing shows.
import { expect, it } from "vitest";
import type { ServerFrame } from "../../schemas/reading.ts";
import { FrameSocket } from "./frame-socket.ts";
import { useServer } from "./topology.ts";

const THEN = Date.UTC(2013, 2, 1, 12);
const SAID = { "telltale-clock": String(THEN) };
const REPORTS = [{ at: THEN, metrics: { temp: 1 } }, { metrics: { temp: 2 } }];

const server = useServer({ vars: { CLOCK: "" } });
const acme = () => server.tenant("acme");

it("[I20] what a header says of the time is ignored", async () => {
  const before = Date.now();
  expect(await acme().send(REPORTS, "pump-1", SAID)).toMatchObject({ stored: 1, refused: 1 });
  const { at, receivedAt } = (await acme().latest("pump-1")).metrics.temp!;
  expect(Math.min(at, receivedAt)).toBeGreaterThanOrEqual(before);
});

it("[I20] what a socket's header and its frames say of the time is ignored", async () => {
  const before = Date.now();
  const token = await acme().token("device", "pump-2");
  const socket = await FrameSocket.open<ServerFrame>(`${acme().url}/v1/connect`, { token, headers: SAID });
  socket.send({ type: "report", seq: 1, at: THEN, metrics: { temp: 1 } });
  expect(await socket.next("ack", ({ seq }) => seq === 1)).toMatchObject({ stored: 0, refused: 1 });
  socket.send({ type: "report", seq: 2, clockMs: THEN + 5_000, metrics: { temp: 2 } });
  expect(await socket.next("ack", ({ seq }) => seq === 2)).toMatchObject({ stored: 1, refused: 0 });
  expect((await acme().latest("pump-2")).metrics.temp!.at).toBeGreaterThanOrEqual(before);
  await socket.close();
});

it("[I2] [I20] a token's age is judged by the wall clock, whatever time is said", async () => {
  const old = await acme().token("device", "pump-1", THEN);
  const answer = await acme().ask("/v1/telemetry", { method: "POST", token: old, body: "{}", headers: SAID });
  expect(answer).toMatchObject({ status: 401, body: { code: "token_expired" } });
});
