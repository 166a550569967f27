// A question about one metric → its points, read tier by tier in slices that fit into memory.
import { extend, type HistoryPlan, planHistory, type Segment } from "../../core/history/plan.ts";
import { windowPointOf } from "../../core/history/point.ts";
import { Slicer } from "../../core/history/slice.ts";
import { WindowMerger } from "../../core/history/window-merger.ts";
import { windowsOfReadings } from "../../core/window/aggregate.ts";
import { alignDown, HOUR_MS } from "../../core/window/align.ts";
import { type RawPoint, RESOLUTION_MS, type Tier, type WindowPoint } from "../../schemas/query.ts";
import { Problem } from "../problem.ts";
import { DeviceReadings } from "./device-readings.ts";
import type { ApiEnv } from "./env.ts";
import { isHourly, readBounds, readTier, type Series } from "./read-tier.ts";

export interface PointQuestion extends Series {
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
 * The points of the range widened to whole windows. A tier that gave up what it was asked for, for it moves on while it
 * is read, is planned around from there.
 * @throws Problem `device_not_found`, `unavailable`.
 */
export async function* readPoints(
  env: ApiEnv,
  asked: PointQuestion,
  meter: Meter,
): AsyncGenerator<PointSlice> {
  const hot = new DeviceReadings(env, asked.tenant, asked.device, asked.metric);
  const { startMs, endMs } = planHistory(asked, NOTHING_KNOWN);
  for (let fromMs = startMs; fromMs < endMs; ) {
    // A short range of readings is likely to be all hot: then this is the only question.
    const mayBeHot = asked.pinned === undefined ? !isHourly(asked) : asked.pinned === "hot";
    const isOne = mayBeHot && endMs - fromMs <= asked.pace.firstMs;
    const span = { startMs: fromMs, endMs: isOne ? endMs : fromMs };
    const plan = planHistory({ ...asked, fromMs }, await readBounds(env, asked, hot, span));
    fromMs = yield* readPlan(env, asked, hot, plan, meter);
  }
}

const NOTHING_KNOWN = { hotFromMs: 0, unsettledFromMs: 0, warmFromMs: 0 };

/** Reads a plan, and gives the instant from which on to plan anew, which is its end when nothing moved. */
async function* readPlan(
  env: ApiEnv,
  asked: PointQuestion,
  hot: DeviceReadings,
  plan: HistoryPlan,
  meter: Meter,
): AsyncGenerator<PointSlice, number> {
  const windowMs = asked.resolution === "raw" ? 1 : RESOLUTION_MS[asked.resolution];
  const merger = new WindowMerger(windowMs);
  for (const segment of plan.segments) {
    const slicer = new Slicer({ ...segment, ...paceOf(asked, segment) });
    for (let span = slicer.next(); span !== undefined; span = slicer.next()) {
      const slice = await readTier(env, asked, hot, segment, span);
      if (slice === "too long") {
        if (slicer.tooLong()) continue;
        const text = `${new Date(span.startMs).toISOString()} lies in too many archive files to read`;
        throw new Problem("unavailable", `${text}; they are being merged, ask again later`);
      }
      if (asked.pinned === undefined && slice.fromMs > span.startMs) return alignDown(span.startMs, windowMs);
      const { at, value, hours, untilMs } = slice;
      slicer.took(untilMs, at.length + hours.length);
      meter.segments = extend(meter.segments, { ...segment, startMs: span.startMs, endMs: untilMs });
      meter.readings += at.length;
      meter.bytesRead += slice.bytesRead;
      meter.files += slice.files;
      if (asked.resolution === "raw") {
        yield { points: at.map((instant, index) => ({ at: instant, value: value[index]! })), untilMs };
        continue;
      }
      const windows = merger.add([...hours, ...windowsOfReadings(at, value, windowMs)], untilMs);
      yield { points: windows.map(windowPointOf), untilMs: alignDown(untilMs, windowMs) };
    }
  }
  return plan.endMs;
}

/** How slices are measured: by readings, or by hours where a tier has these. */
function paceOf(asked: PointQuestion, { source }: Segment): { wanted: number; firstMs: number } {
  const { readings, firstMs, hours } = asked.pace;
  const hasHours = isHourly(asked) && source !== "hot";
  return hasHours ? { wanted: hours, firstMs: hours * HOUR_MS } : { wanted: readings, firstMs };
}
