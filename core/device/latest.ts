// Reports → the newest reading of each metric, newest by the device's clock.
import { METRICS_PER_REPORT_MAX } from "../../schemas/limits.ts";
import type { PackedReports } from "../../schemas/message.ts";
import { forEachReport } from "../report/pack.ts";
import { oldestTaken } from "./apply.ts";
import type { DeviceState } from "./state.ts";

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
      const value = reports.rows[valuesAt + i]!;
      const known = state.latest.get(metric);
      if (known !== undefined && (known.at > at || (known.at === at && Object.is(known.value, value)))) continue;
      if (known === undefined && state.latest.size >= METRICS_PER_REPORT_MAX) forgetOldest(state);
      state.latest.set(metric, { at, value, receivedAt });
      changed.add(metric);
    }
  });
  return changed;
}

function forgetOldest(state: DeviceState): void {
  let oldest: string | undefined;
  let oldestAt = Number.POSITIVE_INFINITY;
  for (const [metric, { at }] of state.latest) {
    if (at < oldestAt) [oldest, oldestAt] = [metric, at];
  }
  if (oldest !== undefined) state.latest.delete(oldest);
}
