// Reports → the newest reading of each metric, newest by the device's clock.
import { CLOCK_BEHIND_MS, METRICS_PER_REPORT_MAX } from "../../schemas/limits.ts";
import type { ClockFault, LatestReading } from "../../schemas/live.ts";
import type { PackedReports } from "../../schemas/message.ts";
import { forEachReport } from "../report/pack.ts";
import { oldestTaken } from "./retain.ts";
import type { DeviceState } from "./state.ts";

/** What is odd about the device's clock, by one reading. */
export function clockFaultOf(at: number, receivedAt: number): ClockFault | undefined {
  if (at > receivedAt) return "ahead";
  return receivedAt - at > CLOCK_BEHIND_MS ? "behind" : undefined;
}

/** Of these metrics, the latest readings as they are shown, flagged where the clock was odd. */
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
 * Notes newer readings in `state.latest` and gives the metrics that changed; called when a report comes, for live sees
 * it before it is committed. At most 1,000 metrics: the one longest silent goes.
 */
export function noteLatest(state: DeviceState, reports: PackedReports): Set<string> {
  const changed = new Set<string>();
  forEachReport(reports, (_id, at, receivedAt, shape, valuesAt) => {
    state.lastReceivedAt = Math.max(state.lastReceivedAt ?? receivedAt, receivedAt);
    state.firstReceivedAt ??= receivedAt;
    if (at < oldestTaken(state, receivedAt)) return;
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

/** Forgets the metric longest silent, to make room for one read at `at`; false when that one is older still. */
function forgetOlder(state: DeviceState, at: number): boolean {
  let oldest: string | undefined;
  let oldestAt = Number.POSITIVE_INFINITY;
  for (const [metric, known] of state.latest) {
    if (known.at < oldestAt) [oldest, oldestAt] = [metric, known.at];
  }
  return oldestAt < at && state.latest.delete(oldest!);
}
