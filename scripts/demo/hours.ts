// The demo's recording → which of its hours stands for which hour of the present.
import { fileURLToPath } from "node:url";
import { openRecording } from "../recordings/open-recording.ts";
import type { RecordedReport } from "../recordings/recording.ts";

export const HOUR_MS = 3_600_000;
/** Under the default lateness horizon of 7 days by half a day: nothing of the history is too old. */
export const HISTORY_HOURS = 156;
const SLICE = new URL("../../demo/beijing_air_slice.csv.gz", import.meta.url);

/** The reports of each recorded hour, one a station at most. */
export type RecordedHours = readonly (readonly RecordedReport[])[];

export async function readSlice(path: string = fileURLToPath(SLICE)): Promise<RecordedHours> {
  const hours = new Map<number, RecordedReport[]>();
  for await (const report of (await openRecording(path)).read()) {
    const hour = hours.get(report.at);
    if (hour) hour.push(report);
    else hours.set(report.at, [report]);
  }
  return [...hours.values()];
}

/**
 * The recorded hour that stands for the hour holding `atMs`. It depends on nothing but the instant: whenever the demo
 * is started, an hour of the past has the same values, so history sent again is duplicate and never correction. The
 * slice is a whole number of days, so the hour of the day is the recorded one.
 */
export function hourIndexAt(atMs: number, hours: number): number {
  return Math.floor(atMs / HOUR_MS) % hours;
}

/** Reports of the last `HISTORY_HOURS` whole hours up to now, oldest first, an hour apart as they were recorded. */
export function historyUntil(nowMs: number, hours: RecordedHours): RecordedReport[] {
  const lastMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS;
  return Array.from(
    { length: HISTORY_HOURS },
    (_, index) => lastMs - (HISTORY_HOURS - 1 - index) * HOUR_MS,
  ).flatMap((at) => reportsAt(at, hourIndexAt(at, hours.length), hours));
}

/** The recorded hour `index`, counted round and round, stamped `at`. */
export function reportsAt(at: number, index: number, hours: RecordedHours): RecordedReport[] {
  const hour = hours[index % hours.length] ?? [];
  return hour
    .filter(({ metrics }) => Object.keys(metrics).length > 0)
    .map(({ device, metrics }) => ({ device, at, arrivedAt: at, metrics }));
}
