// Readings as they are leased → how many a second, over whole minutes.

import { REST_SECONDS } from "./readings-quota.ts";

/** How long a rate is measured at least, in ms: a burst of some seconds is no crossing. */
const MEASURED_MS = 60_000;

/** Of a refusal within less than this, in ms, the rate is that over it: as much as a tenant may use at once after a rest. */
const BURST_MS = REST_SECONDS * 1000;

/** What was leased since `sinceMs`, and what was measured before that. */
export interface UseRate {
  sinceMs: number;
  readings: number;
  /** Whether something was refused since. */
  isRefused: boolean;
  /** Readings a second of the last whole measurement; 0 before the first. */
  perSecond: number;
}

/** Returns a rate of which nothing is measured. */
export const newUseRate = (nowMs: number): UseRate => ({
  ...{ sinceMs: nowMs, readings: 0, isRefused: false, perSecond: 0 },
});

/**
 * Notes readings that were leased, and whether others were refused, changing the rate. Returns what there is to judge:
 * when a minute is over, or at the first refusal of one; else undefined.
 */
export function measure(
  rate: UseRate,
  readings: number,
  isRefused: boolean,
  nowMs: number,
): { used: number; isRefused: boolean } | undefined {
  const elapsedMs = nowMs - rate.sinceMs;
  if (elapsedMs < 0) {
    Object.assign(rate, newUseRate(nowMs)); // the clock was set back
    return undefined;
  }
  rate.readings += readings;
  const isFirstRefusal = isRefused && !rate.isRefused;
  rate.isRefused ||= isRefused;
  if (elapsedMs >= MEASURED_MS) {
    const perSecond = (rate.readings * 1000) / elapsedMs;
    const judged = { used: perSecond, isRefused: rate.isRefused };
    Object.assign(rate, { sinceMs: nowMs, readings: 0, isRefused: false, perSecond });
    return judged;
  }
  if (!isFirstRefusal) return undefined;
  const soFar = (rate.readings * 1000) / Math.max(elapsedMs, BURST_MS);
  return { used: Math.max(rate.perSecond, soFar), isRefused: true };
}
