// A question about one metric → its points, read tier by tier in slices that fit into memory.
import {
  extend,
  type HistoryPlan,
  planHistory,
  type Segment,
  type TierBounds,
} from "../../core/history/plan.ts";
import { windowPointOf } from "../../core/history/point.ts";
import { Slicer, type Span } from "../../core/history/slice.ts";
import { WindowMerger } from "../../core/history/window-merger.ts";
import { windowsOfReadings } from "../../core/window/aggregate.ts";
import { alignDown, HOUR_MS } from "../../core/window/align.ts";
import type { Summary } from "../../core/window/summary.ts";
import { type RawPoint, RESOLUTION_MS, type Tier, type WindowPoint } from "../../schemas/query.ts";
import { Problem } from "../problem.ts";
import { readHourly } from "../read-hourly.ts";
import { warmOf } from "../warm.ts";
import type { ApiEnv } from "./env.ts";
import { readCold, TooMuchError } from "./read-cold.ts";
import { readWarm, readWarmFrom } from "./read-warm.ts";
import { readDevice } from "./registry.ts";
import { fromStorage } from "./storage.ts";

export interface PointQuestion {
  tenant: string;
  device: string;
  metric: string;
  resolution: HistoryPlan["resolution"];
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

/** Most hours of a slice, each some 500 bytes: a year is one. */
export const SLICE_HOURS_MAX = 9_600;

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
  for (let fromMs = asked.fromMs; ; ) {
    const plan = planHistory({ ...asked, fromMs }, await readBounds(env, asked));
    fromMs = yield* readPlan(env, asked, plan, meter);
    if (fromMs >= plan.endMs) return;
  }
}

/** Where the tiers begin and end for this device. */
async function readBounds(env: ApiEnv, asked: PointQuestion): Promise<TierBounds> {
  const { tenant, device, metric, fromMs } = asked;
  const [hot, warmFromMs] = await Promise.all([
    env.DEVICE.getByName(`${tenant}/${device}`).readings(metric, fromMs, fromMs),
    isHourly(asked) && asked.pinned === undefined ? readWarmFrom(warmOf(env, tenant, device), tenant) : 0,
  ]);
  if (hot === null && (await readDevice(env.CONTROL, tenant, device)) === undefined) {
    throw new Problem("device_not_found", `no device ${device} has reported or is registered`);
  }
  const never = Number.MAX_SAFE_INTEGER;
  return { ...(hot ?? { hotFromMs: never, unsettledFromMs: never }), warmFromMs };
}

/** Reads a plan, and gives the instant from which on to plan anew, which is its end when nothing moved. */
async function* readPlan(
  env: ApiEnv,
  asked: PointQuestion,
  plan: HistoryPlan,
  meter: Meter,
): AsyncGenerator<PointSlice, number> {
  const windowMs = asked.resolution === "raw" ? undefined : RESOLUTION_MS[asked.resolution];
  const merger = windowMs === undefined ? undefined : new WindowMerger(windowMs);
  for (const segment of plan.segments) {
    const { readings, firstMs, hours } = asked.pace;
    const readsHours = isHourly(asked) && segment.source !== "hot";
    const slicer = new Slicer({
      ...segment,
      wanted: readsHours ? hours : readings,
      firstMs: readsHours ? hours * HOUR_MS : firstMs,
    });
    for (let span = slicer.next(); span !== undefined; span = slicer.next()) {
      const slice = await readSlice(env, asked, segment, span, meter);
      if (slice === "moved") return alignDown(span.startMs, windowMs ?? 1);
      if (slice === "too long") {
        if (slicer.tooLong()) continue;
        const text = `${new Date(span.startMs).toISOString()} lies in too many archive files to read`;
        throw new Problem("unavailable", `${text}; they are being compacted, ask again later`);
      }
      const { untilMs } = slice;
      slicer.took(untilMs, slice.at.length + slice.parts.length);
      meter.readings += slice.at.length;
      meter.segments = extend(meter.segments, { ...segment, startMs: span.startMs, endMs: untilMs });
      if (merger === undefined || windowMs === undefined) {
        yield { points: slice.at.map((at, index) => ({ at, value: slice.value[index]! })), untilMs };
      } else {
        const parts = [...slice.parts, ...windowsOfReadings(slice.at, slice.value, windowMs)];
        yield {
          points: merger.add(parts, untilMs).map(windowPointOf),
          untilMs: alignDown(untilMs, windowMs),
        };
      }
    }
  }
  return plan.endMs;
}

/** What a tier has of a span: readings, or hours summarised. Complete up to `untilMs`. */
interface TierSlice {
  at: readonly number[];
  value: readonly number[];
  parts: readonly { startMs: number; summary: Summary }[];
  untilMs: number;
}

/** "moved": the tier no longer holds all of the span; "too long": it holds more than can be read at once. */
async function readSlice(
  env: ApiEnv,
  { tenant, device, metric, resolution, pinned }: PointQuestion,
  { source, endMs: segmentEndMs }: Segment,
  span: Span,
  meter: Meter,
): Promise<TierSlice | "moved" | "too long"> {
  const nothing = { at: [], value: [], parts: [], untilMs: span.endMs };
  const asked = { tenant, device, metric, ...span };
  if (source === "hot") {
    const { startMs, endMs } = span;
    const found = await env.DEVICE.getByName(`${tenant}/${device}`).readings(metric, startMs, endMs);
    if (found === null) return nothing;
    if (pinned === undefined && found.hotFromMs > startMs) return "moved";
    const [at, value] = [Array.from(found.at), Array.from(found.value)];
    return { ...nothing, at, value, untilMs: found.complete ? endMs : at.at(-1)! + 1 };
  }
  const database = warmOf(env, tenant, device);
  if (source === "warm") {
    const { hours, warmFromMs } = await readWarm(database, asked);
    return pinned === undefined && warmFromMs > span.startMs ? "moved" : { ...nothing, parts: hours };
  }
  if (resolution === "1h" || resolution === "1d") {
    const { hours, bytesRead } = await fromStorage("R2", readHourly(database, env.COLD, asked));
    meter.bytesRead += bytesRead;
    return { ...nothing, parts: hours };
  }
  try {
    const cold = await readCold(database, env.COLD, asked, segmentEndMs);
    meter.bytesRead += cold.bytesRead;
    meter.files += cold.files;
    return { ...nothing, ...cold };
  } catch (error) {
    if (error instanceof TooMuchError) return "too long";
    throw error;
  }
}

const isHourly = ({ resolution }: PointQuestion) => resolution === "1h" || resolution === "1d";
