// A message on a device's socket → what the socket holds and what latest and the rules saw; whether to commit now is said.
import { draw } from "../../../core/device/allowance.ts";
import { seeReports } from "../../../core/device/commit.ts";
import type { DeviceState } from "../../../core/device/state.ts";
import { ReportPacker } from "../../../core/report/pack.ts";
import { learnQuota, spendReadings } from "../../readings-quota.ts";
import { refusesStorage } from "./device-quota.ts";
import { type DeviceSocket, readingsOf } from "./device-sockets.ts";

/** What came of one message of a socket. */
export interface FrameTaken {
  /** Receipt time for the commit, epoch ms; null: nothing has to be committed now. */
  commitAt: number | null;
  /** Metrics whose latest reading changed. */
  changed: ReadonlySet<string>;
  /** Readings refused because they came too fast. */
  refused: number;
  /** Readings that came beyond the device's rate and are thinned. */
  thinned: number;
}

const NOTHING: FrameTaken = { commitAt: null, changed: new Set(), refused: 0, thinned: 0 };

/**
 * Takes one message of a socket: one that comes too fast is answered `slow` and not taken; problems are sent back at once, a report is held unacknowledged and judged by the
 * rules. A held report is written into the socket's attachment here, unless it has to be committed. Never throws for
 * a bad message.
 * @param nowOf returns the receipt time, epoch ms, from the frame's `clockMs` where that may be said
 * @param wallMs now by the wall clock, which rates are judged by
 */
export function takeMessage(
  state: DeviceState,
  socket: DeviceSocket,
  message: string | ArrayBuffer,
  nowOf: (clockMs: unknown) => number,
  wallMs: number,
): FrameTaken {
  const frame = socket.decode(message, nowOf);
  learnQuota(state.tenant, state.settings.limits.readingsPerSecond);
  const slowForMs = socket.slowForMs(wallMs) || refusesStorage(state)?.retryAfterMs;
  const overRateMs = slowForMs ? 0 : draw(state, 1, wallMs).retryAfterMs;
  const isExcess = overRateMs > 0 && state.settings.excess === "sample";
  const waitMs = slowForMs || (isExcess ? 0 : overRateMs) || spendReadings(state.tenant, readingsOf(frame));
  if (waitMs > 0) {
    const refused = socket.refuse(frame, waitMs, wallMs);
    return { ...NOTHING, refused };
  }
  socket.goOn();
  if (frame.type === "invalid") {
    socket.send(frame.problem);
    return NOTHING;
  }
  for (const problem of frame.problems) socket.send(problem);
  if (frame.type === "flush") return { ...NOTHING, commitAt: socket.isHolding ? socket.now() : null };
  const { seq, receivedAt } = frame;
  let { report, refused } = frame;
  if (report?.device !== undefined && report.device !== state.device) {
    refused += report.values.length;
    const text = `the socket speaks for ${state.device}; use a gateway token for several`;
    socket.send({ type: "problem", seq, index: 0, code: "device_mismatch", message: text });
    report = undefined;
  }
  socket.hold(seq, receivedAt, report, { refused, isExcess });
  let seen: ReturnType<typeof seeReports> = { changed: new Set(), isAlert: false };
  if (report !== undefined) {
    const packer = new ReportPacker();
    packer.add(seq, report.at, receivedAt, report.names, report.values);
    seen = seeReports(state, packer.finish());
  }
  const mustCommit = seen.isAlert || socket.isDue(receivedAt);
  if (!mustCommit) socket.keep();
  const thinned = isExcess ? (report?.values.length ?? 0) : 0;
  return { commitAt: mustCommit ? receivedAt : null, changed: seen.changed, refused: 0, thinned };
}
