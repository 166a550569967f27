// An instant as text or as a number ↔ epoch ms; free of zod so the hot path may import it.
import { AT_MICROSECONDS_ABOVE, AT_SECONDS_BELOW, ISO_INSTANT } from "./limits.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/**
 * Epoch ms of an ISO 8601 date and time (`ISO_INSTANT`), UTC when it has no offset; undefined for other text and for
 * what no calendar or clock has. 24:00 is the midnight that ends the day; a leap second is the second after it. What is
 * finer than a ms is cut off.
 */
export function parseIso(text: string): number | undefined {
  const match = ISO_INSTANT.exec(text);
  if (match === null) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[3]), Number(match[4])];
  const [hour, minute, second] = [Number(match[5]), Number(match[7]), Number(match[8] ?? 0)];
  const fractionMs = Number((match[9] ?? "").slice(0, 3).padEnd(3, "0"));
  const offsetMs = offsetOf(match[10]);
  if (offsetMs === undefined || minute > 59 || second > 60) return undefined;
  if (hour > 23 && (hour > 24 || minute > 0 || second > 0 || Number(match[9] ?? 0) > 0)) return undefined;
  // Date rolls 31 April over to 1 May; the reading would be stored at an instant nobody named.
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const ms = date.getTime() + (hour * 60 + minute) * MINUTE_MS + second * 1_000 + fractionMs - offsetMs;
  return second < 60 || mayEndLeapSecond(ms) ? ms : undefined;
}

/** Ms east of UTC; undefined: no clock is so far off. */
function offsetOf(zone = "Z"): number | undefined {
  if (zone === "Z" || zone === "z") return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(3).replace(":", ""))];
  if (hours > 23 || minutes > 59) return undefined;
  return (hours * 60 + minutes) * (zone.startsWith("+") ? MINUTE_MS : -MINUTE_MS);
}

/** UTC has a leap second only as the last second of a month. */
const mayEndLeapSecond = (ms: number) =>
  ((ms % DAY_MS) + DAY_MS) % DAY_MS < 1_000 && new Date(ms).getUTCDate() === 1;

/** Whether a text that `parseIso` takes names a leap second: no other part of it can be 60. */
export const isLeapSecond = (text: string): boolean => /:60|[Tt ]\d{4}60/.test(text);

/** What a number that should be epoch ms is more likely. */
export type OtherUnit = "seconds" | "micro- or nanoseconds" | "the digits of a date written together";

/** Returns what a number of `ms` looks like that is no epoch ms of this age; undefined: it may well be one. */
export function otherUnitOf(ms: number): OtherUnit | undefined {
  if (spelledIn(ms) !== undefined) return "the digits of a date written together";
  if (ms >= 1e8 && ms < AT_SECONDS_BELOW) return "seconds";
  return ms > AT_MICROSECONDS_ABOVE ? "micro- or nanoseconds" : undefined;
}

/**
 * Returns the instant, epoch ms, that the digits of a date of 1970 to 2099 spell when they are written together, from
 * the day (20260110) to fractions of a second; undefined: they spell none.
 * @param given the digits as a number or as text
 */
export function spelledIn(given: number | string): number | undefined {
  if (typeof given === "number" && !(Number.isInteger(given) && given >= 19_700_101 && given < 1e23))
    return undefined;
  const match = SPELLED.exec(typeof given === "string" ? given : BigInt(given).toString());
  if (match === null) return undefined;
  const [, year, month, day, hour = "00", minute = "00", second = "00"] = match;
  // A number of so many digits was rounded: its last second may have become 60.
  return parseIso(`${year}-${month}-${day}T${hour}:${minute}:${second === "60" ? "59" : second}Z`);
}

const SPELLED = /^(19[7-9]\d|20\d\d)(\d\d)(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)\d{0,9})?)?)?$/;

/** An instant as people read it, to the second; a message that names the right way to write one has it. */
export const isoText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
