// A gateway's socket: each frame names its device, is committed by that device's object, and is acknowledged in order.
import { decodeFrame, type ProblemFrame } from "../../core/decode/device-frame.ts";
import { ReportPacker } from "../../core/report/pack.ts";
import type { Caller } from "../../core/token/verify.ts";
import type { ServerFrame } from "../../schemas/reading.ts";
import { nowMs, said } from "../clock.ts";
import { switchProtocols } from "../upgrade.ts";
import type { IngestEnv } from "./env.ts";
import { answerOf, sendReports } from "./send-reports.ts";

/** Frames waiting for their turn; beyond it the gateway is told to slow down and the socket is closed. */
const WAITING_FRAMES_MAX = 1_000;

export function serveGateway(request: Request, env: IngestEnv, caller: Caller): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  const offsetMs = nowMs(env, request) - nowMs(env);
  server.accept();
  const send = (frame: ServerFrame) =>
    server.readyState === WebSocket.OPEN && server.send(JSON.stringify(frame));
  let waiting = 0;
  let turn: Promise<void> = Promise.resolve();
  server.addEventListener("message", ({ data }) => {
    if (waiting >= WAITING_FRAMES_MAX) {
      send({ type: "slow", retryAfterMs: 1_000 });
      server.close(1013, "too many frames wait for their acknowledgement");
      return;
    }
    waiting += 1;
    turn = turn
      .then(() => take(data))
      .catch((error) => {
        console.error("gateway frame failed", error);
        server.close(1011, "a device's object is away; connect again and resend what was not acknowledged");
      })
      .finally(() => {
        waiting -= 1;
      });
  });

  async function take(data: string | ArrayBuffer): Promise<void> {
    if (server.readyState !== WebSocket.OPEN) return;
    const frame = decodeFrame(data, (clockMs) => said(env, clockMs) ?? nowMs(env) + offsetMs);
    if (frame.type === "flush") return;
    if (frame.type === "invalid") {
      send(frame.problem);
      return;
    }
    const { seq, receivedAt, report, problems } = frame;
    const devices = new Map<string, ReportPacker>();
    const found: ProblemFrame[] = [...problems];
    let { refused } = frame;
    if (report !== undefined) {
      if (report.device === undefined) {
        refused += report.values.length;
        const message = 'a gateway\'s report names its "device"';
        found.push({ type: "problem", seq, index: 0, code: "device_missing", message });
      } else {
        const packer = new ReportPacker();
        packer.add(seq, report.at, receivedAt, report.names, report.values);
        devices.set(report.device, packer);
      }
    }
    const grouped = { devices, refused, problems: [], shapeless: 0, mismatched: 0 };
    const outcome = await sendReports(env, caller.tenant, grouped, receivedAt);
    if (outcome.unavailable) throw new Error("a device's object did not answer");
    const { problems: judged, ...counts } = answerOf(outcome);
    for (const problem of found) send(problem);
    for (const problem of judged) send({ type: "problem", seq, ...problem, index: 0 });
    send({ type: "ack", seq, ...counts });
  }

  return switchProtocols(request, client);
}
