// How long to wait before the next attempt to reconnect.

const FIRST_MS = 500;
/** Long enough to spare a server in trouble, short enough that an operator does not reach for the reload key. */
const LONGEST_MS = 15_000;

/** Doubles with each failed attempt (from 0) and is spread over its upper half, so viewers do not return in one wave. */
export function backoffMs(attempt: number, random: number): number {
  const ceilingMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(ceilingMs * (0.5 + random / 2));
}
