// A gateway's socket: each frame names its device, is committed by that device's object, and is acknowledged in order.
import type { CheckedReport } from "../../core/decode/check-report.ts";
import { addReport, newGroups } from "../../core/decode/group-reports.ts";
import type { Caller } from "../../core/token/verify.ts";
import type { ServerFrame } from "../../schemas/reading.ts";
import { nowMs, said, wallMs } from "../clock.ts";
import { EXPIRED, REVOKED, TOKEN_ENDED } from "../token-note.ts";
import { codecFor, switchProtocols } from "../upgrade.ts";
import type { IngestEnv } from "./env.ts";
import { type Held, inFlight } from "./in-flight.ts";
import { answerOf, sendReports } from "./send-reports.ts";

/** Frames waiting for their turn; beyond it the gateway is told to slow down and the socket is closed. */
const WAITING_FRAMES_MAX = 1_000;
/** And what they may be together: some hundred of the largest, or a thousand of the usual ones. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
/** Devices remembered to have been asked to slow down, forgotten when full: then they are asked again. */
const WARNED_MAX = 1_000;

/**
 * Returns the upgrade for a gateway's socket, whose frames this Worker then sends on to the devices' objects, in
 * order.
 */
export function serveGateway(request: Request, env: IngestEnv, caller: Caller): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  const offsetMs = nowMs(env, request) - nowMs(env);
  server.accept();
  const { codec } = codecFor(request);
  const send = (frame: ServerFrame): void => {
    if (server.readyState === WebSocket.OPEN) server.send(codec.encode(frame));
  };
  let waiting = 0;
  let waitingBytes = 0;
  const warnedUntilMs = new Map<string, number>();
  let turn: Promise<void> = Promise.resolve();
  server.addEventListener("message", ({ data }) => {
    const bytes = sizeOf(data);
    const hasRoom = waiting < WAITING_FRAMES_MAX && waitingBytes + bytes <= WAITING_BYTES_MAX;
    const held = hasRoom ? tryHold(caller.tenant, data) : undefined;
    if (held === undefined) {
      send({ type: "slow", retryAfterMs: 1_000 });
      server.close(1013, "too many frames wait for their acknowledgement");
      return;
    }
    waiting += 1;
    waitingBytes += bytes;
    turn = turn
      .then(() => commitFrame(data))
      .catch((error) => {
        console.error("gateway frame failed", error);
        server.close(1011, "a device's object is away; connect again and resend what was not acknowledged");
      })
      .finally(() => {
        waiting -= 1;
        waitingBytes -= bytes;
        held.release();
      });
  });

  async function commitFrame(data: string | ArrayBuffer): Promise<void> {
    if (server.readyState !== WebSocket.OPEN) return;
    if (caller.expiresAt <= wallMs()) return server.close(TOKEN_ENDED, EXPIRED);
    const frame = codec.decode(data, (clockMs) => said(env, clockMs) ?? nowMs(env) + offsetMs);
    if (frame.type === "invalid") return send(frame.problem);
    if (frame.type === "flush") return frame.problems.forEach(send);
    const { seq, receivedAt, report, refused, problems } = frame;
    const grouped = { ...newGroups(), refused };
    if (report !== undefined) addReport(grouped, report, { index: seq, ownDevice: undefined, receivedAt });
    const outcome = await sendReports(env, caller, grouped, receivedAt);
    if (outcome.isVoid) return server.close(TOKEN_ENDED, REVOKED);
    if (outcome.unavailable) throw new Error("a device's object did not answer");
    const { problems: judged, ...counts } = answerOf(outcome);
    problems.forEach(send);
    for (const problem of judged) send({ type: "problem", seq, ...problem, index: 0 });
    const { limited, retryAfterMs, slowDownMs } = outcome;
    if (limited.length > 0) send({ type: "slow", seq, ...namedDevice(report), retryAfterMs });
    send({ type: "ack", seq, ...counts });
    if (limited.length === 0) warn(report, slowDownMs);
  }

  /** Asks for no more of a device for so long, once for that time; 0: does not. */
  function warn(report: CheckedReport | undefined, retryAfterMs: number): void {
    const device = report?.device;
    if (retryAfterMs === 0 || device === undefined || wallMs() < (warnedUntilMs.get(device) ?? 0)) return;
    if (warnedUntilMs.size >= WARNED_MAX) warnedUntilMs.clear();
    warnedUntilMs.set(device, wallMs() + retryAfterMs);
    send({ type: "slow", device, retryAfterMs });
  }

  return switchProtocols(request, client);
}

/** How long a frame is; one that is binary comes as a Blob where the runtime's default says so. */
const sizeOf = (data: string | ArrayBuffer | Blob): number =>
  typeof data === "string" ? data.length : data instanceof ArrayBuffer ? data.byteLength : data.size;

/** Takes on a frame; undefined: too much is under way. */
function tryHold(tenant: string, data: string | ArrayBuffer): Held | undefined {
  try {
    return inFlight.hold(tenant, sizeOf(data), 0);
  } catch {
    return undefined;
  }
}

const namedDevice = (report: CheckedReport | undefined) =>
  report?.device === undefined ? {} : { device: report.device };
