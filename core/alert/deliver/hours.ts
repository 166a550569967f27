// Hours of the week in a time zone → whether an instant lies in them, and when they end.
import type { WeeklyHours } from "../../../schemas/channel.ts";
import { DAY_MS, MINUTE_MS } from "../../time.ts";
import { localMs } from "../../time-zone.ts";

const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

const minutesOf = (timeOfDay: string) => Number(timeOfDay.slice(0, 2)) * 60 + Number(timeOfDay.slice(3));

/**
 * Returns when the weekly hours that hold `atMs` end, epoch ms; undefined when `atMs` is outside of them. Hours are
 * half-open. The wall clock of their time zone decides: an hour that summer time skips does not come, and one that
 * comes twice is in or out both times.
 */
export function hoursEndAt({ days, from, to, timeZone }: WeeklyHours, atMs: number): number | undefined {
  const local = localMs(atMs, timeZone);
  const midnight = Math.floor(local / DAY_MS) * DAY_MS;
  const beginsOn = (dayMs: number) => days.includes(WEEKDAYS[new Date(dayMs).getUTCDay()]!);
  const fromMs = minutesOf(from) * MINUTE_MS;
  const toMs = minutesOf(to) * MINUTE_MS;
  const lengthMs = toMs > fromMs ? toMs - fromMs : toMs - fromMs + DAY_MS;
  for (const dayMs of [midnight, midnight - DAY_MS]) {
    const endLocal = dayMs + fromMs + lengthMs;
    if (!beginsOn(dayMs) || local < dayMs + fromMs || local >= endLocal) continue;
    return whenItIs(endLocal, atMs, local, timeZone);
  }
  return undefined;
}

/** Returns when weekly hours that do not hold `atMs` begin next, epoch ms, within eight days. */
export function hoursBeginAt({ days, from, timeZone }: WeeklyHours, atMs: number): number {
  const local = localMs(atMs, timeZone);
  const midnight = Math.floor(local / DAY_MS) * DAY_MS;
  const begins = Array.from({ length: 8 }, (_, day) => midnight + day * DAY_MS)
    .filter((dayMs) => days.includes(WEEKDAYS[new Date(dayMs).getUTCDay()]!))
    .map((dayMs) => dayMs + minutesOf(from) * MINUTE_MS);
  return whenItIs(begins.find((beginLocal) => beginLocal > local)!, atMs, local, timeZone);
}

/**
 * Returns when the wall clock comes to `wantedLocal`, or first skips it, epoch ms; that is later than `local`, which
 * it shows at `atMs`.
 */
function whenItIs(wantedLocal: number, atMs: number, local: number, timeZone: string): number {
  const plain = atMs + (wantedLocal - local);
  const shifted = plain + (wantedLocal - localMs(plain, timeZone)); // it may have been put forward or back in between
  if (localMs(shifted, timeZone) === wantedLocal) return shifted;
  let [before, after] = [Math.max(atMs, shifted), plain];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (localMs(middle, timeZone) < wantedLocal) before = middle;
    else after = middle;
  }
  return after;
}

/** Whether an instant, epoch ms, lies in any of these weekly hours. */
export const isWithin = (hours: readonly WeeklyHours[], atMs: number): boolean =>
  hours.some((own) => hoursEndAt(own, atMs) !== undefined);
