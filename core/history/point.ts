// A window's summary → the point an answer has of it.
import type { FleetPoint, WindowPoint } from "../../schemas/query.ts";
import type { WindowSummary } from "../window/aggregate.ts";
import { meanOf, quantileOf, stddevOf } from "../window/summary.ts";

/**
 * Returns the point that an answer has of a window of one device. A quantile is absent when the summary has no
 * sketch.
 */
export function windowPointOf({ startMs, endMs, summary }: WindowSummary): WindowPoint {
  const { count, min, max, first, last, sum } = summary;
  return {
    startMs,
    endMs,
    count,
    min,
    max,
    mean: meanOf(summary),
    sum: sum.high,
    stddev: stddevOf(summary),
    first,
    last,
    p50: quantileOf(summary, 0.5),
    p95: quantileOf(summary, 0.95),
    p99: quantileOf(summary, 0.99),
    ...(summary.thinned === undefined ? {} : { thinned: summary.thinned }),
  };
}

/**
 * Returns the point that an answer has of a window of several devices; it says nothing of the first and the last
 * reading.
 */
export function fleetPointOf(window: WindowSummary, devices: number): FleetPoint {
  const { first: _, last: __, ...figures } = windowPointOf(window);
  return { ...figures, devices };
}
