// The device's blocks → raw readings of one metric, and where the other tiers take over.
import { READINGS_PER_QUERY_MAX } from "../../schemas/limits.ts";
import type { HotReadings, ThinnedCount } from "../../schemas/message.ts";
import { rawFromMs } from "../retention.ts";
import { openAgain } from "./apply.ts";
import { unsettledFromMs } from "./retain.ts";
import type { Ring } from "./ring.ts";
import type { DeviceState } from "./state.ts";

/**
 * The most readings, of all metrics, that are decoded for one question: decoding them takes some tenths of a second,
 * in which the device waits. A block holds all metrics, so a question about one of a thousand decodes the others too.
 */
const DECODED_MAX = 2_000_000;

/**
 * Returns the readings of `metric` in `[fromMs, toMs)`, ascending, from the open blocks and from the ring slots that
 * are not open again. `untilMs` of the answer is before `toMs` when there are too many for one answer. Readings older
 * than the device keeps are left to the archive as soon as the archive has them, even while their rows are still in
 * the ring.
 */
export function readHot(
  state: DeviceState,
  ring: Ring,
  metric: string,
  fromMs: number,
  toMs: number,
  nowMs: number,
): HotReadings {
  const settledUntilMs = unsettledFromMs(state);
  const keptFromMs = Math.min(rawFromMs(state.settings, nowMs), settledUntilMs);
  const isOlderHeld = ring.entries().some(({ startMs }) => startMs < keptFromMs);
  const hotFromMs = Math.max(state.evictedThroughMs, isOlderHeld ? keptFromMs : 0);
  const heldFromMs = Math.max(fromMs, hotFromMs);
  const openSlots = new Set(state.open.map(({ mark }) => mark.slot));
  const sealed = ring
    .entries()
    .filter(({ slot }) => !openSlots.has(slot))
    .map((entry) => ({
      startMs: entry.startMs,
      endMs: entry.endMs,
      block: () => openAgain(entry, ring, nowMs),
    }));
  const open = state.open.map((block) => ({
    startMs: block.mark.startMs,
    endMs: block.mark.endMs,
    block: () => block,
  }));
  const touched = [...sealed, ...open].filter(({ startMs, endMs }) => startMs < toMs && endMs > heldFromMs);
  const parts: { at: number[]; value: number[] }[] = [];
  const thinned: ThinnedCount[] = [];
  let count = 0;
  let decoded = 0;
  let untilMs = toMs;
  for (const { startMs, block } of touched.sort((a, b) => a.startMs - b.startMs)) {
    if (count > READINGS_PER_QUERY_MAX || decoded > DECODED_MAX) {
      untilMs = startMs;
      break;
    }
    const part = block();
    const { at, value } = part.readings(metric, heldFromMs, toMs);
    parts.push({ at, value });
    for (const counted of part.thinned(metric, heldFromMs, toMs)) thinned.push(counted);
    count += at.length;
    decoded += part.readingCount;
  }
  const at = new Float64Array(count);
  const value = new Float64Array(count);
  let offset = 0;
  for (const part of parts) {
    at.set(part.at, offset);
    value.set(part.value, offset);
    offset += part.at.length;
  }
  return {
    hotFromMs,
    unsettledFromMs: settledUntilMs,
    untilMs,
    at,
    value,
    ...(thinned.length === 0 ? {} : { thinned }),
  };
}
