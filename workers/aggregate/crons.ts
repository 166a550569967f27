// The names by which the cron's ticks are told apart; the first two are in wrangler.toml.

/** Upkeep, each minute. */
export const EACH_MINUTE = "* * * * *";
/** What rewrites files: a cron that comes once an hour has 15 min of CPU, and as long to run (Workers limits, 2026-11). */
export const EACH_HOUR = "41 * * * *";
/** Only a local run has it, each second: what somebody at a laptop waits for, as soon as there is something to do. */
export const PROMPT = "prompt";
