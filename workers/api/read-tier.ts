// A span of one metric → what a tier has of it, or that it does not have all of it, or too much.
import type { HistoryPlan, Segment, TierBounds } from "../../core/history/plan.ts";
import type { Span } from "../../core/history/slice.ts";
import type { Summary } from "../../core/window/summary.ts";
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

/** Whose points are asked for, and which. */
export interface Series {
  tenant: string;
  device: string;
  metric: string;
  resolution: HistoryPlan["resolution"];
}

export const isHourly = ({ resolution }: Series) => resolution === "1h" || resolution === "1d";

/**
 * Where the tiers begin and end for this device. It is asked for the readings of `span` in the same breath.
 * @throws Problem `device_not_found`, `unavailable`.
 */
export async function readBounds(
  env: ApiEnv,
  series: Series,
  hot: DeviceReadings,
  span: Span,
): Promise<TierBounds> {
  const { tenant, device } = series;
  const [found, warmFromMs] = await Promise.all([
    hot.ask(span.startMs, span.endMs),
    isHourly(series) ? readWarmFrom(warmOf(env, tenant, device), tenant) : 0,
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
  hours: readonly { startMs: number; summary: Summary }[];
  untilMs: number;
  /** From here on the tier has all; before that it may have given up what it had. */
  fromMs: number;
  bytesRead: number;
  files: number;
}

/** "too long": the span has more than can be read at once. @throws Problem `unavailable`. */
export async function readTier(
  env: ApiEnv,
  series: Series,
  hot: DeviceReadings,
  segment: Segment,
  span: Span,
): Promise<TierSlice | "too long"> {
  const { tenant, device, metric } = series;
  const nothing = { at: [], value: [], hours: [], untilMs: span.endMs, fromMs: 0, bytesRead: 0, files: 0 };
  const asked = { tenant, device, metric, ...span };
  const database = warmOf(env, tenant, device);
  if (segment.source === "hot") {
    const found = await hot.read(span.startMs, span.endMs);
    if (found === null) return nothing;
    const [at, value] = [Array.from(found.at), Array.from(found.value)];
    const untilMs = Math.min(span.endMs, found.untilMs);
    return { ...nothing, at, value, untilMs, fromMs: found.hotFromMs };
  }
  if (segment.source === "warm") return { ...nothing, ...(await readWarm(database, asked)) };
  if (isHourly(series)) {
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
