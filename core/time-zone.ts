// What the wall clocks of a time zone show at an instant, and which local day and hour it lies in.
import { AT_SECONDS_BELOW } from "../schemas/limits.ts";
import { DAY_MS, HOUR_MS } from "./time.ts";

/** A half-open span of instants, epoch ms. */
interface Span {
  startMs: number;
  endMs: number;
}

/** Formatters by time zone: making one takes longer than fifty uses of it. Anybody may name one: the oldest go. */
const formatters = new Map<string, Intl.DateTimeFormat>();
const FORMATTERS_MAX = 64;

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(timeZone);
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" });
    if (formatters.size >= FORMATTERS_MAX) formatters.delete(formatters.keys().next().value!);
    formatters.set(timeZone, formatter);
  }
  return formatter;
}

/**
 * Returns by how many ms the wall clocks of an IANA time zone are ahead of UTC at an instant, negative when behind.
 * @throws RangeError when there is no such zone.
 */
export function offsetMs(atMs: number, timeZone: string): number {
  const [, sign, hours = "0", minutes = "0", seconds = "0"] = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(
    formatterOf(timeZone).format(atMs),
  )!;
  const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
  return sign === "-" ? -ms : ms;
}

/** Returns what the wall clocks show at an instant, as epoch ms of the same time in UTC. */
export const localMs = (atMs: number, timeZone: string) => atMs + offsetMs(atMs, timeZone);

/**
 * Returns the day of the time zone that holds an instant: from the first instant at which the clocks show its date to
 * that of the next day there is. It has 23 or 25 hours where they are changed, and begins at the change where they
 * skip midnight.
 */
export function localDayAt(atMs: number, timeZone: string): Span {
  const day = Math.floor(localMs(atMs, timeZone) / DAY_MS);
  const endMs = dayStartMs(day + 1, timeZone);
  // Clocks put back just after midnight show the old date again: that day has ended.
  if (atMs >= endMs) return { startMs: endMs, endMs: dayStartMs(day + 2, timeZone) };
  return { startMs: dayStartMs(day, timeZone), endMs };
}

/** More than any zone is ahead of UTC, or behind it. */
const OFFSET_MS_MAX = 16 * HOUR_MS;

/** The first instant at which the clocks show a date, or skip it; `day` is its number since 1970-01-01. */
function dayStartMs(day: number, timeZone: string): number {
  const midnight = day * DAY_MS;
  const of = (atMs: number) => offsetMs(atMs, timeZone);
  const [before, after] = [of(midnight - OFFSET_MS_MAX), of(midnight + OFFSET_MS_MAX)];
  if (before === after) return midnight - before;
  const changedAt = changeAt(midnight - OFFSET_MS_MAX, midnight + OFFSET_MS_MAX, of);
  return midnight - before < changedAt ? midnight - before : Math.max(changedAt, midnight - after);
}

/**
 * Returns the hour of the time zone's clocks that holds an instant. Where they are changed by a part of an hour, the
 * hour is cut there.
 */
export function localHourAt(atMs: number, timeZone: string): Span {
  const partOf = (instantMs: number) => partOfHour(offsetMs(instantMs, timeZone));
  const part = partOf(atMs);
  const startMs = Math.floor((atMs + part) / HOUR_MS) * HOUR_MS - part;
  const lastMs = startMs + HOUR_MS - 1;
  return {
    startMs: partOf(startMs) === part ? startMs : changeAt(startMs, atMs, partOf),
    endMs: partOf(lastMs) === part ? lastMs + 1 : changeAt(atMs, lastMs, partOf),
  };
}

const partOfHour = (ms: number) => ((ms % HOUR_MS) + HOUR_MS) % HOUR_MS;

/** The earliest reading there can be is of 1973; no zone's rule for the years after 2100 is another than before. */
const [RULES_FROM_MS, RULES_TO_MS] = [AT_SECONDS_BELOW, 4_102_444_800_000];
/** Shorter than any time since 1973 in which a zone was a part of an hour off. */
const SAMPLE_MS = 28 * DAY_MS;

/**
 * Returns since when the clocks have been whole hours from UTC all the time up to `endMs`: -Infinity when it is so in
 * the whole range, `endMs` when it is not so at its end. Looks at one instant in 28 days of at most 128 years.
 */
export function wholeHoursFromMs(startMs: number, endMs: number, timeZone: string): number {
  const isWhole = (atMs: number) => (partOfHour(offsetMs(atMs, timeZone)) === 0 ? 1 : 0);
  const firstMs = Math.max(startMs, RULES_FROM_MS);
  let wholeMs = Math.min(endMs, RULES_TO_MS) - 1;
  if (wholeMs < firstMs) return Number.NEGATIVE_INFINITY;
  if (!isWhole(wholeMs)) return endMs;
  while (wholeMs > firstMs) {
    const earlierMs = Math.max(firstMs, wholeMs - SAMPLE_MS);
    if (!isWhole(earlierMs)) return changeAt(earlierMs, wholeMs, isWhole);
    wholeMs = earlierMs;
  }
  return Number.NEGATIVE_INFINITY;
}

/** The first instant after `fromMs` at which `of` is another than there, given that it is another at `toMs`. */
function changeAt(fromMs: number, toMs: number, of: (atMs: number) => number): number {
  const was = of(fromMs);
  let [before, after] = [fromMs, toMs];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (of(middle) === was) before = middle;
    else after = middle;
  }
  return after;
}
