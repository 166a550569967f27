// A span of one metric → what a tier has of it, or that it does not have all of it, or too much.
import type { PlannedSegment, TierBounds } from "../../core/history/plan.ts";
import type { Span } from "../../core/history/slice.ts";
import type { Summary } from "../../core/window/summary.ts";
import type { ThinnedCount } from "../../schemas/message.ts";
import { Problem } from "../problem.ts";
import { readHourly } from "../read-hourly.ts";
import { warmOf } from "../warm.ts";
import type { DeviceReadings } from "./device-readings.ts";
import type { ApiEnv } from "./env.ts";
import { readCold, TooMuchError } from "./read-cold.ts";
import { readWarm, readWarmFrom } from "./read-warm.ts";
import { readDevice } from "./registry.ts";
import { fromStorage } from "./storage.ts";

/** A year of hours that are not merged yet lies in hundreds of files. */
const HOURLY_ANSWERS_MS = 30_000;

/** Whose points are asked for. */
export interface Series {
  tenant: string;
  device: string;
  metric: string;
}

/**
 * Returns where the tiers begin and end for this device, which is asked for the readings of `span` with the same
 * call. `inHours`: some of it is asked for in hours.
 * @throws Problem `device_not_found`, `unavailable`.
 */
export async function readBounds(
  env: ApiEnv,
  series: Series,
  hot: DeviceReadings,
  span: Span,
  inHours: boolean,
): Promise<TierBounds> {
  const { tenant, device } = series;
  const [found, warmFromMs] = await Promise.all([
    hot.ask(span.startMs, span.endMs),
    inHours ? readWarmFrom(warmOf(env, tenant, device), tenant) : 0,
  ]);
  if (found === null && (await readDevice(env.CONTROL, tenant, device)) === undefined) {
    throw new Problem("device_not_found", `no device ${device} has reported or is registered`);
  }
  const never = Number.MAX_SAFE_INTEGER;
  return { ...(found ?? { hotFromMs: never, unsettledFromMs: never }), warmFromMs };
}

/** Readings, or hours summarised: all there are from the span's start up to `untilMs`. */
export interface TierSlice {
  at: readonly number[];
  value: readonly number[];
  /** How many readings of a minute were thinned, where the tier knows. */
  thinned: readonly ThinnedCount[];
  hours: readonly { startMs: number; summary: Summary }[];
  untilMs: number;
  /** From here on the tier has all; before that it may have dropped what it had. */
  fromMs: number;
  bytesRead: number;
  files: number;
}

/**
 * Reads a span from one tier. Returns "too long" when it has more than can be read at once.
 * @throws Problem `unavailable`.
 */
export async function readTier(
  env: ApiEnv,
  series: Series,
  hot: DeviceReadings,
  segment: PlannedSegment,
  span: Span,
): Promise<TierSlice | "too long"> {
  const { tenant, device, metric } = series;
  const nothing = {
    at: [],
    value: [],
    thinned: [],
    hours: [],
    untilMs: span.endMs,
    fromMs: 0,
    bytesRead: 0,
    files: 0,
  };
  const asked = { tenant, device, metric, ...span };
  const database = warmOf(env, tenant, device);
  if (segment.source === "hot") {
    const found = await hot.read(span.startMs, span.endMs);
    if (found === null) return nothing;
    const [at, value] = [Array.from(found.at), Array.from(found.value)];
    const untilMs = Math.min(span.endMs, found.untilMs);
    return { ...nothing, at, value, thinned: found.thinned ?? [], untilMs, fromMs: found.hotFromMs };
  }
  if (segment.source === "warm") return { ...nothing, ...(await readWarm(database, asked)) };
  if (segment.inHours) {
    const found = await fromStorage("R2", readHourly(database, env.COLD, asked), HOURLY_ANSWERS_MS);
    return { ...nothing, ...found };
  }
  try {
    return { ...nothing, ...(await readCold(database, env.COLD, asked, segment.endMs)) };
  } catch (error) {
    if (error instanceof TooMuchError) return "too long";
    throw error;
  }
}
