// What a condition says of a reading, and the two clocks it is timed by.

/** Between a level and its clear level, or with too little to go by, a reading is neither: all stays as it was. */
export type Verdict = "breach" | "clear" | "unknown";

/**
 * When a reading counts: `t` is its `at`, but never ahead of our clock; `receivedAt` is ours. A device's clock may jump,
 * and a backlog comes all at once: only what both clocks saw pass has passed.
 */
export interface Instant {
  t: number;
  receivedAt: number;
}

/** A reading as conditions see it. */
export interface Sample extends Instant {
  value: number;
}

/** How much time passed for certain. */
export const atLeastMs = (since: Instant, now: Instant) =>
  Math.min(now.t - since.t, now.receivedAt - since.receivedAt);

/** How much time may have passed. */
export const atMostMs = (since: Instant, now: Instant) =>
  Math.max(now.t - since.t, now.receivedAt - since.receivedAt);
