// What every anomaly detector is: readings of one metric in, one by one, a score in [0, 1] out.

/**
 * A streaming detector of one metric. It has no clock and no settings a series: `at` is the reading's own
 * time, and a fresh state is all it is told.
 *
 * @example
 * const state = detector.create();
 * const score = detector.score(state, at, value);
 * if (score >= detector.critical) page();
 * else if (score >= detector.warning) note();
 * store(detector.pack(state)); // goes on as if never stopped: detector.unpack(bytes)
 */
export interface Detector<State> {
  readonly name: string;
  /** After a score of `warning` or more, event time in ms during which every score is 0. */
  readonly refractoryMs: number;
  /** The shipped thresholds: a reading is flagged at `score >= warning`. */
  readonly warning: number;
  readonly critical: number;
  create(): State;
  /** Takes one reading into the state; a value that is not finite scores 0 and changes nothing. */
  score(state: State, at: number, value: number): number;
  /** At most `MAX_PACKED_BYTES`. */
  pack(state: State): Uint8Array;
  /** Bytes of another version of the detector begin anew: it learns again rather than misreads. */
  unpack(bytes: Uint8Array): State;
}

/** The object keeps a state beside each watched metric, so it must stay small change in a row of SQLite. */
export const MAX_PACKED_BYTES = 1024;
