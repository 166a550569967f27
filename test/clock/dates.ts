// An instant → the dates at which software breaks that passes on the day it was written. Pure: chance is an argument.
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export interface ShiftedDate {
  name: string;
  /** When the tests begin, epoch ms. */
  atMs: number;
  /** IANA name of the zone that local times are in. */
  timeZone: string;
}

/** The first of the year `year`, the next or a later one that `dateOf` gives and that is after `nowMs`. */
function next(nowMs: number, dateOf: (year: number) => number | undefined): number {
  for (let year = new Date(nowMs).getUTCFullYear(); ; year++) {
    const atMs = dateOf(year);
    if (atMs !== undefined && atMs > nowMs) return atMs;
  }
}

/** Noon of 29 February, undefined in a year without. */
function leapDay(year: number): number | undefined {
  const atMs = Date.UTC(year, 1, 29, 12);
  return new Date(atMs).getUTCMonth() === 1 ? atMs : undefined;
}

/** Two minutes before the European Union changes its clocks: on the last Sunday of a month with 31 days, at 01:00 UTC. */
function clockChange(year: number, month: number): number {
  const last = Date.UTC(year, month, 31, 0, 58);
  return last - new Date(last).getUTCDay() * DAY_MS;
}

/** Every date of the list, each after `nowMs`. */
export function shiftedDates(nowMs: number): ShiftedDate[] {
  const berlin = "Europe/Berlin";
  return [
    { name: "40 days ahead", atMs: nowMs + 40 * DAY_MS, timeZone: "UTC" },
    { name: "400 days ahead", atMs: nowMs + 400 * DAY_MS, timeZone: "UTC" },
    { name: "29 February", atMs: next(nowMs, leapDay), timeZone: "UTC" },
    { name: "summer time begins", atMs: next(nowMs, (year) => clockChange(year, 2)), timeZone: berlin },
    { name: "summer time ends", atMs: next(nowMs, (year) => clockChange(year, 9)), timeZone: berlin },
    { name: "the year ends", atMs: next(nowMs, (year) => Date.UTC(year, 11, 31, 23, 58)), timeZone: "UTC" },
  ];
}

/** One of the list; `chance` is in [0, 1). */
export function drawDate(nowMs: number, chance: number): ShiftedDate {
  const dates = shiftedDates(nowMs);
  return dates[Math.floor(chance * dates.length)]!;
}
