// A resolution and a time zone → how time is cut into windows, and from when on hours that were summed up make them.
import { RESOLUTION_MS, type Resolution } from "../../schemas/query.ts";
import { HOUR_MS } from "../time.ts";
import { localDayAt, localHourAt, wholeHoursFromMs } from "../time-zone.ts";
import { alignDown, evenly, type WindowAt } from "../window/align.ts";
import type { Span } from "./slice.ts";

/** How a range is cut into windows. */
export interface Windows {
  resolution: Exclude<Resolution, "auto">;
  windowAt: WindowAt;
  /**
   * From when on hours of UTC make up the windows, epoch ms; before that, it takes readings. -Infinity: everywhere;
   * Infinity: nowhere.
   */
  hoursFromMs: number;
  /** Whose hours and days they are; undefined: UTC's, or windows that are the same everywhere. */
  timeZone: string | undefined;
}

/** Single readings: each millisecond is a window. */
export const READINGS: Windows = {
  resolution: "raw",
  windowAt: evenly(1),
  hoursFromMs: Number.POSITIVE_INFINITY,
  timeZone: undefined,
};

/**
 * Returns the windows of a resolution for the range `[fromMs, toMs)`: of UTC, or of a time zone, whose days and hours
 * are those of its clocks. Minutes are the same everywhere.
 */
export function windowsOf(
  resolution: Windows["resolution"],
  timeZone: string | undefined,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Windows {
  if (resolution === "raw") return READINGS;
  const even = { resolution, windowAt: evenly(RESOLUTION_MS[resolution]), timeZone: undefined };
  if (resolution === "1m" || resolution === "5m") return { ...even, hoursFromMs: Number.POSITIVE_INFINITY };
  if (timeZone === undefined) return { ...even, hoursFromMs: Number.NEGATIVE_INFINITY };
  const localAt = resolution === "1d" ? localDayAt : localHourAt;
  const windowAt = remembering((at) => localAt(at, timeZone));
  const wholeMs = wholeHoursFromMs(windowAt(fromMs).startMs, windowAt(toMs - 1).endMs, timeZone);
  return { resolution, windowAt, hoursFromMs: alignUpToHour(wholeMs), timeZone };
}

const alignUpToHour = (at: number) => (Number.isFinite(at) ? alignDown(at + HOUR_MS - 1, HOUR_MS) : at);

/** The window asked for last is found again at once: what is put into windows comes in its order. */
function remembering(windowAt: WindowAt): WindowAt {
  let last: Span = { startMs: 0, endMs: 0 };
  return (at) => {
    if (at < last.startMs || at >= last.endMs) last = windowAt(at);
    return last;
  };
}
