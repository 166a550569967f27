// What a condition says of a reading, and the two clocks it is timed by.

/**
 * What a condition says of a reading. `unknown`, between a level and its clear level or with too little to go by,
 * leaves everything as it was.
 */
export type Verdict = "breach" | "clear" | "unknown";

/**
 * When a reading counts, epoch ms: `t` is its `at`, but never ahead of the receipt time `receivedAt`. A device's
 * clock may jump: only what both clocks saw pass has passed, and of a backlog, which comes all at once, the silence
 * before it.
 */
export interface Instant {
  t: number;
  receivedAt: number;
  /** The time between readings that came together, of all receipts so far, in ms (together.ts); 0 when absent. */
  creditMs?: number;
}

/** A reading as conditions see it: a value, and when it counts. */
export interface Sample extends Instant {
  value: number;
}

/** One report as rules see it. */
export interface ReportView {
  /** The report's instant, epoch ms by the device's clock. */
  at: number;
  /** When the report was received, epoch ms by the receipt clock. */
  receivedAt: number;
  /**
   * Whether the device takes the report. The values of one that it refuses as too old decide nothing; its receipt
   * still ends a no-data state.
   */
  isTaken: boolean;
  /** Returns the report's value of a metric, of its first metric when absent; undefined when it has none. */
  valueIn(metric: string | undefined): number | undefined;
}

/**
 * Returns how much time passed for certain, in ms: the less of what the two clocks say, where ours has seen the silence
 * that a backlog covers.
 */
export const atLeastMs = (since: Instant, now: Instant) =>
  Math.min(now.t - since.t, now.receivedAt - since.receivedAt + (now.creditMs ?? 0) - (since.creditMs ?? 0));

/** Returns how much time may have passed, in ms: the more of what the two clocks say. */
export const atMostMs = (since: Instant, now: Instant) =>
  Math.max(now.t - since.t, now.receivedAt - since.receivedAt);
