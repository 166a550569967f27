// Where windows begin and when they are closed.

/** Length of a bucket: one open block, one rollup row, one ring slot a device and bucket. */
export const BUCKET_MS = 3_600_000;

/** The longest bucket: a block that ends after an instant began at most this long before it. */
export const BUCKET_MS_MAX = 21_600_000;

/** A rollup has a summary for each UTC clock hour, however long the block is: hours and days merge from them. */
export const HOUR_MS = 3_600_000;

/** A window is closed when the watermark reaches its end; the watermark trails the newest reading by this. */
export const ALLOWED_LATENESS_MS = 60_000;

/** The start of the window of `lengthMs` that holds `at`: windows are half-open and aligned to the epoch. */
export const alignDown = (at: number, lengthMs: number) => Math.floor(at / lengthMs) * lengthMs;

/** A reading is late when its bucket had closed before it came: the bucket's end ≤ newest `at` so far − allowed lateness. */
export const isLate = (at: number, newestAt: number) =>
  alignDown(at, BUCKET_MS) + BUCKET_MS <= newestAt - ALLOWED_LATENESS_MS;
