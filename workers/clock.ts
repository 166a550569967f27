// The one place where Workers and objects read the time. A local run (`CLOCK = "settable"`, set by `npm start` and by
// tests, never in wrangler.toml) lets a request say what time it is, so that a year can be played in minutes.

import { describe } from "../core/decode/check-report.ts";
import { otherUnitOf } from "../schemas/instant.ts";
import { Problem } from "./problem.ts";

/** `CLOCK`: "settable" in a local run and in tests; absent in a deployment. */
export interface ClockEnv {
  CLOCK?: string;
}

/** The header by which a request to a local run says what time it is, epoch ms. */
export const CLOCK_HEADER = "telltale-clock";

/** The wall clock, epoch ms: for alarms and timers, which the platform runs by it. */
export const wallMs = () => Date.now();

/**
 * The receipt time, epoch ms: what the request's header says where the clock may be set, else the wall clock.
 * @throws Problem `invalid_query` where it may be set and the header says seconds, or anything else that is no epoch ms.
 */
export function nowMs(env: ClockEnv, request?: Request): number {
  const text = request?.headers.get(CLOCK_HEADER);
  const ms = said(env, text);
  if (env.CLOCK === "settable" && typeof text === "string" && (ms === undefined || otherUnitOf(ms))) {
    throw new Problem("invalid_query", `${CLOCK_HEADER}: the time in epoch ms, not ${describe(text)}`);
  }
  return ms ?? wallMs();
}

/**
 * Returns the instant, epoch ms, that `value` says it is; undefined where the clock may not be set, or it is no
 * instant.
 */
export function said(env: ClockEnv, value: unknown): number | undefined {
  if (env.CLOCK !== "settable" || value === null || value === undefined) return undefined;
  const ms = Number(value);
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
