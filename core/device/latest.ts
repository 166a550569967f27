// Reports → the newest reading of each metric, newest by the device's clock.
import { CLOCK_BEHIND_MS, METRICS_PER_REPORT_MAX } from "../../schemas/limits.ts";
import type { ClockFault, LatestReading } from "../../schemas/live.ts";
import type { PackedReports } from "../../schemas/message.ts";
import { forEachReport } from "../report/pack.ts";
import type { TakenMarks } from "./retain.ts";
import { noteGap } from "./rhythm.ts";
import type { DeviceState } from "./state.ts";

/**
 * Returns what one reading says is wrong with the device's clock; undefined when nothing is. Both instants are epoch
 * ms.
 */
export function clockFaultOf(at: number, receivedAt: number): ClockFault | undefined {
  if (at > receivedAt) return "ahead";
  return receivedAt - at > CLOCK_BEHIND_MS ? "behind" : undefined;
}

/**
 * Returns the latest readings of these metrics, all when absent, flagged where the device's clock was odd. A metric
 * that has none is left out.
 */
export function shownLatest(
  { latest }: DeviceState,
  metrics: Iterable<string> = latest.keys(),
): Record<string, LatestReading> {
  const shown: Record<string, LatestReading> = {};
  for (const metric of metrics) {
    const reading = latest.get(metric);
    if (reading === undefined) continue;
    const clock = clockFaultOf(reading.at, reading.receivedAt);
    shown[metric] = clock === undefined ? reading : { ...reading, clock };
  }
  return shown;
}

/**
 * Returns the names of the `most` metrics that were received last, of those received together the ones known for longest;
 * without `most` of all.
 */
export function newestMetrics({ latest }: DeviceState, most = Number.POSITIVE_INFINITY): string[] {
  const names = [...latest.keys()];
  if (names.length <= most) return names;
  const receivedAt = (metric: string) => latest.get(metric)!.receivedAt;
  return names.sort((a, b) => receivedAt(b) - receivedAt(a)).slice(0, most);
}

/**
 * Notes newer readings in `state.latest` and returns the metrics that changed. It is called when a report comes,
 * because live watchers see a report before it is committed. Of a report that `taken` does not mark only the
 * receipt is noted. At most 1,000 metrics are kept: the one that has been without readings for longest is forgotten.
 */
export function noteLatest(state: DeviceState, reports: PackedReports, taken: TakenMarks): Set<string> {
  const changed = new Set<string>();
  forEachReport(reports, (_id, at, receivedAt, shape, valuesAt, nth) => {
    noteGap(state.gapsMs, receivedAt - (state.lastReceivedAt ?? receivedAt));
    state.lastReceivedAt = Math.max(state.lastReceivedAt ?? receivedAt, receivedAt);
    state.firstReceivedAt ??= receivedAt;
    if (!taken[nth]) return;
    for (let i = 0; i < shape.length; i++) {
      const metric = reports.names[shape[i]!]!;
      const value = reports.rows[valuesAt + i]! + 0; // JSON, in which it is kept and sent, writes −0 as 0
      const known = state.latest.get(metric);
      if (known !== undefined && (known.at > at || (known.at === at && Object.is(known.value, value))))
        continue;
      if (known === undefined && state.latest.size >= METRICS_PER_REPORT_MAX && !forgetOlder(state, at))
        continue;
      state.latest.set(metric, { at, value, receivedAt });
      changed.add(metric);
    }
  });
  return changed;
}

/**
 * Forgets the metric with the oldest latest reading, to make room for one read at `at`; false when that reading is
 * older still, and none is forgotten.
 */
function forgetOlder(state: DeviceState, at: number): boolean {
  let oldest: string | undefined;
  let oldestAt = Number.POSITIVE_INFINITY;
  for (const [metric, known] of state.latest) {
    if (known.at < oldestAt) [oldest, oldestAt] = [metric, known.at];
  }
  return oldestAt < at && state.latest.delete(oldest!);
}
