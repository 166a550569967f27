// The device's blocks → raw readings of one metric, and where the other tiers take over.
import { READINGS_PER_QUERY_MAX } from "../../schemas/limits.ts";
import type { HotReadings } from "../../schemas/message.ts";
import { OpenBlock } from "./open-block.ts";
import type { Ring } from "./ring.ts";
import type { DeviceState } from "./state.ts";

/** Readings of `metric` in `[fromMs, toMs)`, ascending: from the open blocks, and from ring slots not open again. */
export function readHot(
  state: DeviceState,
  ring: Ring,
  metric: string,
  fromMs: number,
  toMs: number,
): HotReadings {
  const openSlots = new Set(state.open.map(({ mark }) => mark.slot));
  const sealed = ring
    .entries()
    .filter(({ slot }) => !openSlots.has(slot))
    .map(({ slot, startMs, endMs, revision }) => ({
      startMs,
      endMs,
      block: () =>
        new OpenBlock({ startMs, endMs, slot, revision, openedAt: 0, dirty: false }, ring.read(slot)),
    }));
  const open = state.open.map((block) => ({
    startMs: block.mark.startMs,
    endMs: block.mark.endMs,
    block: () => block,
  }));
  const touched = [...sealed, ...open].filter(({ startMs, endMs }) => startMs < toMs && endMs > fromMs);
  const parts: { at: number[]; value: number[] }[] = [];
  let count = 0;
  for (const { block } of touched.sort((a, b) => a.startMs - b.startMs)) {
    if (count > READINGS_PER_QUERY_MAX) break;
    const part = block().readings(metric, fromMs, toMs);
    parts.push(part);
    count += part.at.length;
  }
  const pending = state.outbox.map(({ startMs }) => startMs);
  const at = new Float64Array(count);
  const value = new Float64Array(count);
  let offset = 0;
  for (const part of parts) {
    at.set(part.at, offset);
    value.set(part.value, offset);
    offset += part.at.length;
  }
  return {
    hotFromMs: state.evictedThroughMs,
    unsettledFromMs: Math.min(Number.MAX_SAFE_INTEGER, ...pending, ...open.map(({ startMs }) => startMs)),
    complete: count <= READINGS_PER_QUERY_MAX,
    at,
    value,
  };
}
