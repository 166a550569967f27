// Where windows begin and when they are closed.

/** The longest bucket: a block that ends after an instant began at most this long before it. */
export const BUCKET_MS_MAX = 21_600_000;

/** A rollup has a summary for each UTC clock hour, however long the block is: hours and days merge from them. */
export const HOUR_MS = 3_600_000;

/** A window is closed when the watermark reaches its end; the watermark trails the newest reading by this. */
export const ALLOWED_LATENESS_MS = 60_000;

/** The start of the window of `lengthMs` that holds `at`: windows are half-open and aligned to the epoch. */
export const alignDown = (at: number, lengthMs: number) => Math.floor(at / lengthMs) * lengthMs;

/** Up to where events are taken to have all come: `newestAt` is the largest event time so far. */
export const watermarkOf = (newestAt: number, allowedLatenessMs: number) => newestAt - allowedLatenessMs;

/** Whether the window of `lengthMs` that holds `at` had closed, its end ≤ the watermark before the event came. */
export const isClosed = (at: number, lengthMs: number, watermark: number) =>
  alignDown(at, lengthMs) + lengthMs <= watermark;

/** A reading is late when its hour had closed before it came. */
export const isLate = (at: number, newestAt: number) =>
  isClosed(at, HOUR_MS, watermarkOf(newestAt, ALLOWED_LATENESS_MS));
