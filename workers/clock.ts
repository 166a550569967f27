// The one place where Workers and objects read the time. A local run (`CLOCK = "settable"`, given by `npm start` and by
// tests, never in wrangler.toml) lets a request say what time it is, so that a year can be played in minutes.

export interface ClockEnv {
  CLOCK?: string;
}

/** The header by which a request to a local run says what time it is, epoch ms. */
export const CLOCK_HEADER = "telltale-clock";

/** The wall clock, epoch ms: for alarms and timers, which the platform runs by it. */
export const wallMs = () => Date.now();

/** Now, epoch ms: the wall clock, or what the request says where the clock may be set. */
export function nowMs(env: ClockEnv, request?: Request): number {
  return said(env, request?.headers.get(CLOCK_HEADER)) ?? wallMs();
}

/** The instant somebody says it is, if the clock may be set and they said one. */
export function said(env: ClockEnv, value: unknown): number | undefined {
  if (env.CLOCK !== "settable" || value === null || value === undefined) return undefined;
  const ms = Number(value);
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
