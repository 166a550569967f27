// The device's blocks → raw readings of one metric, and where the other tiers take over.
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
    .filter(({ slot, startMs, endMs }) => !openSlots.has(slot) && startMs < toMs && endMs > fromMs)
    .map(({ slot, startMs, endMs, revision }) => ({
      startMs,
      block: () =>
        new OpenBlock({ startMs, endMs, slot, revision, openedAt: 0, dirty: false }, ring.read(slot)),
    }));
  const open = state.open.map((block) => ({ startMs: block.mark.startMs, block: () => block }));
  const parts = [...sealed, ...open]
    .sort((a, b) => a.startMs - b.startMs)
    .map(({ block }) => block().readings(metric, fromMs, toMs));
  const pending = state.outbox.map(({ startMs }) => startMs);
  return {
    hotFromMs: state.evictedThroughMs,
    unsettledFromMs: Math.min(Number.MAX_SAFE_INTEGER, ...pending, ...open.map(({ startMs }) => startMs)),
    at: Float64Array.from(parts.flatMap(({ at }) => at)),
    value: Float64Array.from(parts.flatMap(({ value }) => value)),
  };
}
