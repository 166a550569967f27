// A stream of reports → rounds of request bodies that keep each device's order.
//
// A round is a span of the recording. Its devices are dealt to lanes; a lane sends its batches one after the other,
// the lanes go side by side, and the next round waits for all of them. So a device's reports arrive in order, and
// no lane runs ahead of another by more than a round, which keeps a clock that follows the recording from jumping.
import type { RecordedReport } from "../recordings/recording.ts";

export interface Batch {
  reports: RecordedReport[];
  /** NDJSON, one report a line. */
  body: string;
  /** Latest arrival in the batch. */
  newestArrivedAt: number;
}

export interface Round {
  lanes: Batch[][];
  newestArrivedAt: number;
}

export interface RoundPlan {
  /** How many requests may be in flight. */
  lanes: number;
  /** Most reports in one request. */
  batchReports: number;
  /** Most recorded time (of arrival) in one round; Infinity: a round is as many reports as all lanes can carry. */
  spanMs: number;
}

/** A quarter of the largest body the server takes (4 MiB). */
const BODY_CHARS_MAX = 1024 * 1024;

const lineOf = ({ device, at, metrics }: RecordedReport) => `${JSON.stringify({ device, at, metrics })}\n`;

/** Cuts one lane's reports into batches. */
export function planBatches(reports: readonly RecordedReport[], batchReports: number): Batch[] {
  const batches: Batch[] = [];
  let batch: Batch | undefined;
  for (const report of reports) {
    const line = lineOf(report);
    if (!batch || batch.reports.length >= batchReports || batch.body.length + line.length > BODY_CHARS_MAX) {
      batch = { reports: [], body: "", newestArrivedAt: -Infinity };
      batches.push(batch);
    }
    batch.reports.push(report);
    batch.body += line;
    batch.newestArrivedAt = Math.max(batch.newestArrivedAt, report.arrivedAt);
  }
  return batches;
}

/** Deals each device to a lane, in the order the devices first appear, and remembers it. */
class LaneDealer {
  readonly #laneOf = new Map<string, number>();
  readonly #lanes: number;
  constructor(lanes: number) {
    this.#lanes = lanes;
  }
  laneOf(device: string): number {
    let lane = this.#laneOf.get(device);
    if (lane === undefined) {
      lane = this.#laneOf.size % this.#lanes;
      this.#laneOf.set(device, lane);
    }
    return lane;
  }
}

/** Streams the rounds of a recording; holds one round at a time. */
export async function* planRounds(
  reports: AsyncIterable<RecordedReport>,
  plan: RoundPlan,
): AsyncGenerator<Round> {
  const dealer = new LaneDealer(plan.lanes);
  const roundReports = plan.lanes * plan.batchReports;
  let held: RecordedReport[] = [];
  let span: number | undefined;
  const round = (): Round => {
    const lanes = Array.from({ length: plan.lanes }, (): RecordedReport[] => []);
    let newestArrivedAt = -Infinity;
    for (const report of held) {
      lanes[dealer.laneOf(report.device)]!.push(report);
      newestArrivedAt = Math.max(newestArrivedAt, report.arrivedAt);
    }
    held = [];
    const batches = lanes
      .filter((lane) => lane.length > 0)
      .map((lane) => planBatches(lane, plan.batchReports));
    return { lanes: batches, newestArrivedAt };
  };
  for await (const report of reports) {
    // Spans are aligned (to the recorded hour, say), so that the same recording is always cut alike.
    const spanOf = plan.spanMs === Infinity ? 0 : Math.floor(report.arrivedAt / plan.spanMs);
    if (held.length > 0 && (spanOf !== span || held.length >= roundReports)) yield round();
    span = spanOf;
    held.push(report);
  }
  if (held.length > 0) yield round();
}
