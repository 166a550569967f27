// The constants of the block format, drawn in docs/block-format.md.
//
// PERSISTED: every constant here is in stored bytes. Never change the meaning of one: raise FORMAT_VERSION,
// keep decoding the old version, and add a fixture for the new one.

/** "TTB": Telltale block. */
export const MAGIC = [0x54, 0x54, 0x42] as const;
export const FORMAT_VERSION = 1;

/** Magic, version and the start: what comes before the first varint. */
export const FIXED_HEADER_BYTES = 12;
/** CRC-32 over everything before it. The bit reader also relies on these bytes to look ahead safely. */
export const CHECKSUM_BYTES = 4;

/**
 * Readings a block may hold. A zero-width mini-block says "32 readings" in 5 bits and a constant column any
 * number in 2 bytes, so the length of the bytes bounds nothing: this does (16 MB of decoded arrays).
 */
export const MAX_READINGS_PER_BLOCK = 1_000_000;
/** Bytes of UTF-8 in a metric name. */
export const MAX_METRIC_NAME_BYTES = 4096;

/** Integer stream header: bits 0–1 hold the order (0 offset, 1 delta, 2 delta of delta). */
export const ORDER_MASK = 0b11;
/** Every residual is zero: no body. */
export const STREAM_CONSTANT = 0x04;
/** A stride other than 1 follows: all offsets are multiples of it. */
export const STREAM_STRIDE = 0x08;
/** A center other than 0 follows. */
export const STREAM_CENTER = 0x10;
/** Residuals need more than 31 bits: the body is wide mini-blocks. */
export const STREAM_WIDE = 0x20;
/** The body is the integers as raw float64; no other bit is set. */
export const STREAM_RAW = 0x40;

/** Readings a mini-block covers. Measured on the recordings: 16, 32 and 64 differ by 1 %. */
export const MINI_BLOCK_LENGTH = 32;
/** Mini-block codes 0…28 are Rice parameters. */
export const MAX_RICE_PARAMETER = 28;
/** Mini-block code: a 6-bit width follows, then plain fields of it. */
export const MINI_BLOCK_PACKED = 29;
/** Mini-block code: every residual is zero. */
export const MINI_BLOCK_ZERO = 31;
/** So many zero bits instead of a Rice quotient say: a 5-bit length − 1 and the residual follow. */
export const RICE_ESCAPE_ZEROS = 24;
/** Integers at or beyond ±2^49 would lose exactness in a second-order delta: they go raw. */
export const INTEGER_LIMIT = 2 ** 49;

/** Offsets within this range keep every residual, zigzagged, in an int32. A choice of the encoder's, not stored. */
export const NARROW_RANGE = 2 ** 27;

/** Value mode: bits 0–4 hold the decimal exponent, or EXPONENT_WORDS. */
export const EXPONENT_MASK = 0b11111;
/** 10^22 is the largest power of ten a float64 holds exactly. */
export const MAX_EXPONENT = 22;
/** In place of an exponent: the values are float64 words. */
export const EXPONENT_WORDS = 31;
/** Value mode: the decimal was rounded to float32. */
export const VALUES_FLOAT32 = 0x20;
/** Value mode: a list of exceptions ends the column. */
export const VALUES_EXCEPTIONS = 0x40;
/** Value mode: after the mantissas, how many float64s each value lies beside its decimal. */
export const VALUES_NUDGED = 0x80;
/** Float64s a value may lie beside its decimal; arithmetic on decimals strays by a few. */
export const MAX_NUDGE = 64;
