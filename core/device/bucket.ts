// The rate a device was measured at → how long its next bucket is, and which span of it a new block takes.

import { HOUR_MS } from "../time.ts";
import { alignDown, BUCKET_MS_MAX } from "../window/align.ts";
import type { OpenBlock } from "./open-block.ts";
import type { Ring } from "./ring.ts";
import type { DeviceState, Measured } from "./state.ts";

/**
 * The lengths a bucket may have, in ms. Each is a multiple of the one before and divides a day, so a clock hour has
 * no more blocks than overlap it.
 */
const BUCKETS_MS = [HOUR_MS / 4, HOUR_MS, BUCKET_MS_MAX] as const;

/**
 * From this rate on the bucket is a quarter of an hour: that fills a block of 32 KiB about as far as its row and its
 * message are worth.
 */
const FAST_READINGS_AN_HOUR = 20_000;
/**
 * Up to this rate the bucket is six hours: they fit one block, whatever the values, for these are 3,600
 * full-precision doubles.
 */
const SLOW_READINGS_AN_HOUR = 600;

/**
 * Whether the device's buckets have the greatest length, six hours. The next commit of such a device may be hours
 * away. Some of these devices commit more often; treating them the same costs next to nothing, for they seal four
 * blocks a day.
 */
export const isSlow = ({ bucketMs }: Pick<DeviceState, "bucketMs">) => bucketMs === BUCKET_MS_MAX;

/** Returns what the length of the next bucket is chosen by, for a block that holds readings. */
export const measure = (open: OpenBlock): Measured => ({
  startMs: open.mark.startMs,
  firstAt: open.firstAt,
  readings: open.readingCount,
});

/**
 * Returns the length in ms of the shortest bucket that holds a span: the ring does not keep the length a block was
 * made for, and it is taken to be this one.
 */
export const bucketOf = (startMs: number, endMs: number): number =>
  BUCKETS_MS.find((bucketMs) => alignDown(startMs, bucketMs) + bucketMs >= endMs) ?? BUCKET_MS_MAX;

/**
 * Returns the span of a new block that holds `at`, and the length of its bucket in ms: the bucket around `at`, less
 * what other blocks of the device hold or held. A block that will be the newest of the device chooses the bucket's
 * length anew, which is noted in `state`; an older one takes the length as it stands.
 */
export function newSpan(
  state: DeviceState,
  at: number,
  ring: Ring,
): { startMs: number; endMs: number; bucketMs: number } {
  const marks = state.open.map(({ mark }) => mark);
  const isAfterSealed = at >= state.sealedThroughMs;
  if (isAfterSealed && marks.every(({ startMs }) => startMs < at)) state.bucketMs = nextBucket(state, at);
  const { bucketMs } = state;
  const bucketStartMs = alignDown(at, bucketMs);
  let startMs = Math.max(bucketStartMs, state.evictedThroughMs, isAfterSealed ? state.sealedThroughMs : 0);
  let endMs = bucketStartMs + bucketMs;
  for (const other of isAfterSealed ? marks : [...marks, ...ring.entries()]) {
    if (other.endMs <= at) startMs = Math.max(startMs, other.endMs);
    else endMs = Math.min(endMs, other.startMs);
  }
  return { startMs, endMs, bucketMs };
}

/**
 * Returns the length of the next bucket in ms, by the rate of readings from the first of the newest block until `at`;
 * an hour for a device that has no block.
 */
function nextBucket(state: DeviceState, at: number): number {
  let newest = state.measured;
  for (const open of state.open) {
    const isNewer = open.mark.startMs >= (newest?.startMs ?? 0) && open.readingCount > 0;
    if (isNewer) newest = measure(open);
  }
  if (newest === null) return HOUR_MS;
  const readingsAnHour = (newest.readings * HOUR_MS) / (at - newest.firstAt);
  if (readingsAnHour >= FAST_READINGS_AN_HOUR) return BUCKETS_MS[0];
  return readingsAnHour <= SLOW_READINGS_AN_HOUR ? BUCKET_MS_MAX : HOUR_MS;
}
