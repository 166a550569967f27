// The shapes a block is encoded from and decoded to, and the one error that either direction throws.

/** Readings of one metric: `at` epoch ms, strictly ascending, integers, `value` parallel to it (finite float64). */
export interface Column {
  metric: string;
  at: number[];
  value: number[];
}

/** Readings of one device in the half-open span [startMs, endMs). Columns in any order; metric names unique. */
export interface Block {
  startMs: number;
  endMs: number;
  columns: Column[];
}

/** Why bytes are no block, or a block cannot be encoded. */
export type BlockErrorCode =
  /** The bytes do not begin as a block does. */
  | "bad_magic"
  /** A block of a format this code does not know: deploy the newer code first. */
  | "unknown_version"
  /** The bytes end before the block does. */
  | "truncated"
  /** The bytes (or, when encoding, the block's shape) contradict themselves or a limit. */
  | "corrupt"
  /** A value is NaN or infinite. */
  | "not_finite"
  /** A column's instants repeat or go back. */
  | "not_ascending"
  /** An instant is not an integer inside [startMs, endMs), or the span itself is none. */
  | "out_of_span";

/** What encoding and decoding throw; `code` says why. */
export class BlockError extends Error {
  override readonly name = "BlockError";
  readonly code: BlockErrorCode;

  constructor(code: BlockErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
