// Where windows begin and when they are closed.
import { HOUR_MS } from "../time.ts";

/** The longest bucket, in ms: a block that ends after an instant began at most this long before it. */
export const BUCKET_MS_MAX = 21_600_000;

/** How far the watermark trails the newest reading, in ms; a window is closed when the watermark reaches its end. */
export const WATERMARK_LAG_MS = 60_000;

/** Returns the start of the window of `lengthMs` that holds `at`: windows are half-open and aligned to the epoch. */
export const alignDown = (at: number, lengthMs: number) => Math.floor(at / lengthMs) * lengthMs;

/** How time is cut into windows: returns the half-open one that holds an instant, epoch ms. */
export type WindowAt = (at: number) => { startMs: number; endMs: number };

/** Returns the cut into windows of `lengthMs`, aligned to the epoch. */
export const evenly =
  (lengthMs: number): WindowAt =>
  (at) => {
    const startMs = alignDown(at, lengthMs);
    return { startMs, endMs: startMs + lengthMs };
  };

/**
 * Returns the watermark, epoch ms: all events before it are taken to have come. `newestAt` is the largest event time
 * so far.
 */
export const watermarkOf = (newestAt: number, allowedLatenessMs: number) => newestAt - allowedLatenessMs;

/** Whether the window of `lengthMs` that holds `at` is closed: its end is at or before the watermark. */
export const isClosed = (at: number, lengthMs: number, watermark: number) =>
  alignDown(at, lengthMs) + lengthMs <= watermark;

/** Whether a reading is late: its hour was closed before it came. `newestAt` is the largest event time before it. */
export const isLate = (at: number, newestAt: number) =>
  isClosed(at, HOUR_MS, watermarkOf(newestAt, WATERMARK_LAG_MS));
