// The rate a device was measured at → how long its next bucket is, and which span of it a new block takes.
import { alignDown, BUCKET_MS_MAX, HOUR_MS } from "../window/align.ts";
import type { OpenBlock } from "./open-block.ts";
import type { Ring } from "./ring.ts";
import type { DeviceState } from "./state.ts";

/** Each is a multiple of the one before and divides a day, so a clock hour has no more blocks than overlap it. */
const BUCKETS_MS = [HOUR_MS / 4, HOUR_MS, BUCKET_MS_MAX] as const;

/** From here on a quarter of an hour fills a block of 32 KiB about as far as its row and its message are worth. */
const FAST_READINGS_AN_HOUR = 20_000;
/** Up to here six hours fit one block, whatever the values: 3,600 full-precision doubles. */
const SLOW_READINGS_AN_HOUR = 600;

/** How many readings the newest block had, and since when: what the next bucket is chosen by. */
export interface Measured {
  startMs: number;
  firstAt: number;
  readings: number;
}

/** A device whose reports are so rare that it has commits of its own only hours apart, or costs nothing to pretend so. */
export const isSlow = ({ bucketMs }: Pick<DeviceState, "bucketMs">) => bucketMs === BUCKET_MS_MAX;

export const measure = (open: OpenBlock): Measured => ({
  startMs: open.mark.startMs,
  firstAt: open.firstAt,
  readings: open.readingCount,
});

/** The shortest bucket that holds the span: what a block taken from the ring is taken to have been made for. */
export const bucketOf = (startMs: number, endMs: number): number =>
  BUCKETS_MS.find((bucketMs) => alignDown(startMs, bucketMs) + bucketMs >= endMs) ?? BUCKET_MS_MAX;

/**
 * The span of a new block that holds `at`: its bucket, less what the device's other blocks hold or held. The length of
 * the bucket is chosen when the block is the newest of the device, and holds for older ones until the next is.
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

/** By the readings from the first of the newest block so far until `at`; an hour for a device that has none. */
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
