// What every anomaly detector is: readings of one metric in, one by one, a score in [0, 1] out.

/**
 * A streaming detector of one metric. It has no clock and no settings for a series: `at`, epoch ms, is the reading's
 * own time, and a fresh state is all it begins with.
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
  /** For how long every score is 0 after a score of `warning` or more, in ms of event time. */
  readonly refractoryMs: number;
  /** The score from which a reading is a warning, as shipped. */
  readonly warning: number;
  /** The score from which a reading is critical, as shipped. */
  readonly critical: number;
  /** Returns the state of a detector that has seen nothing. */
  create(): State;
  /**
   * Takes one reading into the state and returns its score in [0, 1]; a value that is not finite scores 0 and changes
   * nothing.
   */
  score(state: State, at: number, value: number): number;
  /** Returns the state as bytes, at most `MAX_PACKED_BYTES` of them. */
  pack(state: State): Uint8Array;
  /**
   * Returns the state that `pack` made the bytes of; a fresh one for bytes of another version of the detector, which
   * learns again rather than misreads.
   */
  unpack(bytes: Uint8Array): State;
}

/**
 * The most bytes of a packed state: the device's object keeps one beside each watched metric, in its row of SQLite.
 */
export const MAX_PACKED_BYTES = 1024;
