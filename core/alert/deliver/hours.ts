// Hours of the week in a time zone → whether an instant lies in them, and when they end.
import type { WeeklyHours } from "../../../schemas/channel.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

/** Making one takes longer than a hundred uses of it. */
const formatters = new Map<string, Intl.DateTimeFormat>();

/** The wall clock of the zone at an instant, as if it were UTC. */
function localMs(atMs: number, timeZone: string): number {
  let formatter = formatters.get(timeZone);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formatters.set(timeZone, formatter);
  }
  const parts = formatter.formatToParts(atMs);
  const field = (type: Intl.DateTimeFormatPartTypes) =>
    Number(parts.find((part) => part.type === type)!.value);
  return (
    Date.UTC(
      field("year"),
      field("month") - 1,
      field("day"),
      field("hour"),
      field("minute"),
      field("second"),
    ) +
    (((atMs % 1_000) + 1_000) % 1_000)
  );
}

const minutesOf = (timeOfDay: string) => Number(timeOfDay.slice(0, 2)) * 60 + Number(timeOfDay.slice(3));

/**
 * When the hours that hold `atMs` end, epoch ms; undefined: it lies outside of them. Half-open. The wall clock of the
 * zone decides: an hour that summer time skips does not come, one that comes twice is both times in or out.
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

/** When hours that do not hold `atMs` begin next, epoch ms: within eight days. */
export function hoursBeginAt({ days, from, timeZone }: WeeklyHours, atMs: number): number {
  const local = localMs(atMs, timeZone);
  const midnight = Math.floor(local / DAY_MS) * DAY_MS;
  const begins = Array.from({ length: 8 }, (_, day) => midnight + day * DAY_MS)
    .filter((dayMs) => days.includes(WEEKDAYS[new Date(dayMs).getUTCDay()]!))
    .map((dayMs) => dayMs + minutesOf(from) * MINUTE_MS);
  return whenItIs(begins.find((beginLocal) => beginLocal > local)!, atMs, local, timeZone);
}

/** When the wall clock comes to `wantedLocal`, which is later than what it shows at `atMs`, or first skips it. */
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

/** Whether an instant lies in any of these hours. */
export const isWithin = (hours: readonly WeeklyHours[], atMs: number): boolean =>
  hours.some((own) => hoursEndAt(own, atMs) !== undefined);
