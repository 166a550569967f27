// The clock a request may set: only where the server says it may be set, which no deployment does.
import { describe, expect, it } from "vitest";
import type { ServerFrame } from "../../schemas/reading.ts";
import { FrameSocket } from "./frame-socket.ts";
import { useServer } from "./topology.ts";

const THEN = Date.UTC(2013, 2, 1, 12);
const SAID = { "telltale-clock": String(THEN) };
const REPORTS = [{ at: THEN, metrics: { temp: 1 } }, { metrics: { temp: 2 } }];

describe.concurrent.each([
  { what: "settable", vars: undefined, isSet: true },
  { what: "not settable", vars: { CLOCK: "" }, isSet: false },
])("$what", ({ vars, isSet }) => {
  const server = useServer(vars === undefined ? {} : { vars });
  const acme = () => server.tenant("acme");
  const stored = isSet ? 2 : 1;

  it.sequential(`[I20] what the header says of the time is ${isSet ? "taken" : "ignored"}`, async () => {
    const before = Date.now();
    const answer = await acme().send(REPORTS, "pump-1", SAID);
    expect(answer).toMatchObject({ stored: 1, corrected: isSet ? 1 : 0, refused: isSet ? 0 : 1 });
    const { at, receivedAt } = (await acme().latest("pump-1")).metrics.temp!;
    if (isSet) expect({ at, receivedAt }).toEqual({ at: THEN, receivedAt: THEN });
    else expect(Math.min(at, receivedAt)).toBeGreaterThanOrEqual(before);
  });

  it.sequential(`[I20] what a socket's header and a frame say of the time is ${isSet ? "taken" : "ignored"}`, async () => {
    const token = await acme().token("device", "pump-2");
    const socket = await FrameSocket.open<ServerFrame>(`${acme().url}/v1/connect`, { token, headers: SAID });
    socket.send({ type: "report", seq: 1, at: THEN, metrics: { temp: 1 } });
    socket.send({ type: "report", seq: 2, clockMs: THEN + 5_000, metrics: { temp: 2 } });
    const [first, second] = [
      await socket.next("ack", ({ seq }) => seq === 1),
      await socket.next("ack", ({ seq }) => seq === 2),
    ];
    expect(first.stored + second.stored).toBe(stored);
    const { at } = (await acme().latest("pump-2")).metrics.temp!;
    if (isSet) expect(at).toBe(THEN + 5_000);
    else expect(at).toBeGreaterThan(THEN + 86_400_000);
    await socket.close();
  });

  it.sequential("[I2] a token's age is judged by the wall clock, whatever time is said", async () => {
    const old = await acme().token("device", "pump-1", THEN);
    const answer = await acme().ask("/v1/telemetry", {
      method: "POST",
      token: old,
      body: "{}",
      headers: SAID,
    });
    expect(answer).toMatchObject({ status: 401, body: { code: "token_expired" } });
  });
});
