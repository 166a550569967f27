// A recording and a server → the recording played into the server, and what came of it.
import type { RecordedReport, Recording } from "../recordings/recording.ts";
import { type DoorContext, ReplayFailure } from "./door.ts";
import { httpDoor } from "./http-door.ts";
import { paceAt } from "./pace.ts";
import { sealDevices } from "./seal-devices.ts";
import { type Extent, measureExtent, type Selection, selectReports, shiftReports } from "./select-reports.ts";
import { socketDoor } from "./socket-door.ts";
import { type ReplayResult, Tally } from "./tally.ts";
import type { Tokens } from "./tokens.ts";

export interface ReplayOptions {
  recording: Recording;
  selection?: Selection;
  /** Origin of the server. */
  url: string;
  tokens: Tokens;
  door?: "http" | "socket";
  /** Factor over recorded time; Infinity (the default): as fast as the server takes it. */
  speed?: number;
  /**
   * `recording` (the default): the local server's clock follows the recording. `shift`: the recording is moved to end
   * now. `now`: it is sent as it is, to a server whose clock is its own.
   */
  clock?: "recording" | "shift" | "now";
  /** Most reports in one request. Given, requests may also span more than an hour of the recording. */
  batchReports?: number;
  /** Most of the recording (of its arrivals) one request spans; the local clock follows in such steps. */
  requestSpanMs?: number;
  /** Requests in flight. */
  concurrency?: number;
  commitEveryMs?: number;
  windowReports?: number;
  retryForMs?: number;
  seal?: boolean;
  /** Measure the recording before it is played, so that `onProgress` knows the whole. */
  measure?: boolean;
  onProgress?(progress: { reports: number; ofReports: number | undefined; arrivedAt: number }): void;
  /** Stops the replay; what was acknowledged until then is in the result. */
  signal?: AbortSignal;
}

const HOUR_MS = 3_600_000;
const BATCH_REPORTS = 1_000;
/** With a pace, a round of reports spans no more than this of wall time. */
const PACED_ROUND_MS = 1_000;

/** Never throws for the server's sake: why a replay failed is in the result. An unreadable recording throws. */
export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const { recording, selection = {}, tokens, clock = "recording", speed = Infinity, seal = true } = options;
  const url = options.url.replace(/\/+$/, "");
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal ? [options.signal] : [])]);
  const tally = new Tally();
  let extent: Extent | undefined;
  if (clock === "shift" || options.measure)
    extent = await measureExtent(selectReports(recording, selection), signal);

  const startedAt = performance.now();
  let newestArrivedAt = -Infinity;
  let settled = 0;
  async function* counted(): AsyncGenerator<RecordedReport> {
    const selected = selectReports(recording, selection, () => tally.empty++);
    const reports =
      clock === "shift" && extent ? shiftReports(selected, Date.now() - extent.endsAt) : selected;
    for await (const report of reports) {
      if (signal.aborted) return;
      tally.read++;
      tally.devices.add(report.device);
      newestArrivedAt = Math.max(newestArrivedAt, report.arrivedAt);
      yield report;
    }
  }

  const context: DoorContext = {
    url,
    tokens,
    tally,
    pace: paceAt(speed),
    clockFollows: clock === "recording",
    retryForMs: options.retryForMs ?? 120_000,
    signal,
    onProgress: (reports, arrivedAt) => {
      settled += reports;
      options.onProgress?.({ reports: settled, ofReports: extent?.reports, arrivedAt });
    },
  };
  try {
    await doorOf(context, options).play(counted());
    const adminToken = seal ? await tokens.admin() : undefined;
    if (adminToken !== undefined && !signal.aborted) {
      const clockMs = context.clockFollows ? newestArrivedAt : undefined;
      await sealDevices(tally.devices, tally, { url, adminToken, clockMs, signal });
    }
  } catch (error) {
    if (!(error instanceof ReplayFailure)) throw error;
    tally.failure = error.message;
    stop.abort(); // the other lanes
  }
  return tally.result(performance.now() - startedAt, options.signal?.aborted ?? false);
}

function doorOf(context: DoorContext, options: ReplayOptions) {
  const { door = "http", speed = Infinity, batchReports, concurrency = 4, commitEveryMs } = options;
  if (door === "socket")
    return socketDoor(context, { commitEveryMs, windowReports: options.windowReports ?? 256 });
  const hourly = context.clockFollows && batchReports === undefined;
  const pacedMs = speed === Infinity ? Infinity : Math.max(1, speed * PACED_ROUND_MS);
  return httpDoor(context, {
    lanes: concurrency,
    batchReports: batchReports ?? BATCH_REPORTS,
    spanMs: Math.min(options.requestSpanMs ?? (hourly ? HOUR_MS : Infinity), pacedMs),
  });
}
