// A recording → those of its reports that were asked for, stamped for the clock that was chosen.
import type { RecordedReport, Recording } from "../recordings/recording.ts";

export interface Selection {
  /** Half-open range of `at`, epoch ms. */
  fromMs?: number;
  toMs?: number;
  /** Only these devices; absent: all. */
  devices?: readonly string[];
  /** At most so many reports. */
  limit?: number;
}

/** Streams the selected reports in file order. Reports without a single metric are left out and counted by `onEmpty`. */
export async function* selectReports(
  recording: Recording,
  { fromMs = -Infinity, toMs = Infinity, devices, limit = Infinity }: Selection,
  onEmpty: () => void = () => {},
): AsyncGenerator<RecordedReport> {
  const wanted = devices && new Set(devices);
  let left = limit;
  if (left <= 0) return;
  for await (const report of recording.read()) {
    if (report.at >= toMs && recording.timeOrdered) return;
    if (report.at < fromMs || report.at >= toMs || wanted?.has(report.device) === false) continue;
    if (Object.keys(report.metrics).length === 0) {
      onEmpty();
      continue;
    }
    yield report;
    if (--left === 0) return;
  }
}

export interface Extent {
  reports: number;
  firstAt: number;
  /** The last arrival or the latest `at`, whichever is later: nothing of the recording lies after it. */
  endsAt: number;
}

/** Reads through a selection once, or until `signal` aborts, to know its length and its end before it is played. */
export async function measureExtent(
  reports: AsyncIterable<RecordedReport>,
  signal?: AbortSignal,
): Promise<Extent> {
  const extent = { reports: 0, firstAt: Infinity, endsAt: -Infinity };
  for await (const { at, arrivedAt } of reports) {
    if (signal?.aborted) break;
    extent.reports++;
    extent.firstAt = Math.min(extent.firstAt, at);
    extent.endsAt = Math.max(extent.endsAt, at, arrivedAt);
  }
  return extent;
}

/** Moves every instant of a recording by `shiftMs`. */
export async function* shiftReports(
  reports: AsyncIterable<RecordedReport>,
  shiftMs: number,
): AsyncGenerator<RecordedReport> {
  for await (const report of reports) {
    yield { ...report, at: report.at + shiftMs, arrivedAt: report.arrivedAt + shiftMs };
  }
}
