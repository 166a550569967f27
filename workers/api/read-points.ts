// A question about one metric → its points, read tier by tier in slices that fit into memory.
import {
  extend,
  type HistoryPlan,
  type PlannedSegment,
  planHistory,
  type Segment,
} from "../../core/history/plan.ts";
import { windowPointOf } from "../../core/history/point.ts";
import { Slicer, type Span } from "../../core/history/slice.ts";
import { WindowMerger } from "../../core/history/window-merger.ts";
import type { Windows } from "../../core/history/windows.ts";
import { readingsFromMs, summedFromMs } from "../../core/retention.ts";
import { HOUR_MS } from "../../core/time.ts";
import { addThinned, windowsOfReadings } from "../../core/window/aggregate.ts";
import type { RawPoint, Tier, WindowPoint } from "../../schemas/query.ts";
import { wallMs } from "../clock.ts";
import { Problem } from "../problem.ts";
import { readSettings } from "../tenant.ts";
import { DeviceReadings } from "./device-readings.ts";
import type { ApiEnv } from "./env.ts";
import { readBounds, readTier, type Series } from "./read-tier.ts";

/** Which points are asked for, and how fast they are read. */
export interface PointQuestion extends Series {
  windows: Windows;
  fromMs: number;
  toMs: number;
  pinned: Tier | undefined;
  pace: Pace;
}

/** About how many readings a slice should have, and how long the first may be; of hours, how many a slice has. */
export interface Pace {
  readings: number;
  firstMs: number;
  hours: number;
}

/** Most hours of a slice, each some 500 bytes: a year is one. */
export const SLICE_HOURS_MAX = 9_600;

/** What reading has touched so far. */
export class Meter {
  segments: Segment[] = [];
  bytesRead = 0;
  /** Readings that were thinned. */
  leftOut = 0;
  /** Raw readings, and files of the archive that were opened for them. */
  readings = 0;
  files = 0;
}

/** Every point before `untilMs` that no earlier slice had, ascending. */
export interface PointSlice {
  points: RawPoint[] | WindowPoint[];
  untilMs: number;
}

/**
 * Yields the points of the range widened to whole windows, slice by slice. Where a tier has dropped what it was asked
 * for since the plan was made, the rest is planned anew.
 * @throws Problem `device_not_found`, `unavailable`, `invalid_query`.
 */
export async function* readPoints(
  env: ApiEnv,
  asked: PointQuestion,
  meter: Meter,
): AsyncGenerator<PointSlice> {
  const hot = new DeviceReadings(env, asked.tenant, asked.device, asked.metric);
  const { startMs, endMs } = planHistory(asked, NOTHING_KNOWN);
  const { timeZone, hoursFromMs } = asked.windows;
  const inHours = hoursFromMs < endMs;
  if (timeZone !== undefined && hoursFromMs > startMs && asked.pinned !== "hot") {
    await checkReadingsKept(env, asked.tenant, asked.windows, { startMs, endMs });
  }
  for (let fromMs = startMs; fromMs < endMs; ) {
    // A short range of readings is likely to be all hot: then this is the only question.
    const mayBeHot = asked.pinned === undefined ? !inHours : asked.pinned === "hot";
    const isOne = mayBeHot && endMs - fromMs <= asked.pace.firstMs;
    const span = { startMs: fromMs, endMs: isOne ? endMs : fromMs };
    const plan = planHistory({ ...asked, fromMs }, await readBounds(env, asked, hot, span, inHours));
    fromMs = yield* readPlan(env, asked, hot, plan, meter);
  }
}

/**
 * Of a time long past there may be hours, of UTC, and no readings any more.
 * @throws Problem `invalid_query` when windows that take readings lie there.
 */
async function checkReadingsKept(
  env: ApiEnv,
  tenant: string,
  { timeZone, windowAt, hoursFromMs }: Windows,
  { startMs, endMs }: Span,
): Promise<void> {
  const settings = await readSettings(env.TENANT, tenant);
  const nowMs = wallMs();
  const [keptMs, summedMs] = [readingsFromMs(settings, nowMs), summedFromMs(settings, nowMs)];
  if (keptMs === null || summedMs === null) return;
  if (Math.max(startMs, summedMs) >= Math.min(keptMs, endMs, hoursFromMs)) return;
  const first = new Date(windowAt(keptMs - 1).endMs).toISOString();
  throw new Problem(
    "invalid_query",
    `${timeZone} is not whole hours from UTC, so its windows are made of readings, and of before ${new Date(keptMs).toISOString()} ` +
      `the tenant keeps only hours of UTC (retention.archiveDays): ask from ${first} on, or without tz`,
  );
}

const NOTHING_KNOWN = { hotFromMs: 0, unsettledFromMs: 0, warmFromMs: 0 };

/** Reads a plan. Returns the instant from which on to plan anew: the plan's end when no tier moved on. */
async function* readPlan(
  env: ApiEnv,
  asked: PointQuestion,
  hot: DeviceReadings,
  plan: HistoryPlan,
  meter: Meter,
): AsyncGenerator<PointSlice, number> {
  const { resolution, windowAt } = asked.windows;
  const merger = new WindowMerger(windowAt);
  for (const segment of plan.segments) {
    const slicer = new Slicer({ ...segment, ...paceOf(asked, segment) });
    for (let span = slicer.next(); span !== undefined; span = slicer.next()) {
      const slice = await readTier(env, asked, hot, segment, span);
      if (slice === "too long") {
        if (slicer.tooLong()) continue;
        const text = `${new Date(span.startMs).toISOString()} lies in too many archive files to read`;
        throw new Problem("unavailable", `${text}; they are being merged, ask again later`);
      }
      if (asked.pinned === undefined && slice.fromMs > span.startMs) return windowAt(span.startMs).startMs;
      const { at, value, thinned, hours, untilMs } = slice;
      slicer.took(untilMs, at.length + hours.length);
      const { source } = segment;
      meter.segments = extend(meter.segments, { source, startMs: span.startMs, endMs: untilMs });
      meter.readings += at.length;
      meter.bytesRead += slice.bytesRead;
      meter.files += slice.files;
      for (const { count } of thinned) meter.leftOut += count;
      for (const { summary } of hours) meter.leftOut += summary.thinned ?? 0;
      if (resolution === "raw") {
        yield { points: at.map((instant, index) => ({ at: instant, value: value[index]! })), untilMs };
        continue;
      }
      const summed = addThinned(windowsOfReadings(at, value, windowAt), thinned);
      const windows = merger.add([...hours, ...summed], untilMs);
      yield { points: windows.map(windowPointOf), untilMs: windowAt(untilMs).startMs };
    }
  }
  return plan.endMs;
}

/** How slices are measured: by readings, or by hours where a tier has these. */
function paceOf(asked: PointQuestion, { inHours }: PlannedSegment): { wanted: number; firstMs: number } {
  const { readings, firstMs, hours } = asked.pace;
  return inHours ? { wanted: hours, firstMs: hours * HOUR_MS } : { wanted: readings, firstMs };
}
