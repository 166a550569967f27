// How far back a device keeps its readings: what it gives up when they are old, and what it hands over to the archive.
import type { OpenBlock } from "./open-block.ts";
import type { Ring, RingEntry } from "./ring.ts";
import type { DeviceState } from "./state.ts";

const DAY_MS = 86_400_000;

/** Readings from here on are kept: all within the lateness horizon, for dedup, and as many days as the tenant wants. */
export const retainedFromMs = ({ settings }: DeviceState, nowMs: number) =>
  nowMs - Math.max(settings.latenessHorizonMs, settings.retention.rawDays * DAY_MS);

/** The oldest `at` the device takes: within the tenant's horizon, and not in a span the ring has given up. */
export const oldestTaken = (state: DeviceState, receivedAt: number) =>
  Math.max(receivedAt - state.settings.latenessHorizonMs, state.evictedThroughMs);

/** Storage has everything before. */
export const unsettledFromMs = ({ outbox, open, unlistedFromMs }: DeviceState) =>
  Math.min(
    unlistedFromMs ?? Number.MAX_SAFE_INTEGER,
    ...outbox.map(({ startMs }) => startMs),
    ...open.map(({ mark }) => mark.startMs),
  );

/** Nothing before its end is asked for or taken any more: its slot may be overwritten. */
export const isGivenUp = (state: DeviceState, { endMs }: Pick<RingEntry, "endMs">) =>
  endMs <= state.evictedThroughMs;

/**
 * Gives up the ring's blocks that are older than what is kept, oldest first as far as none is unconfirmed or open, and
 * gives the slots to delete. A device with a block open will fill the slots again by itself, and an overwritten row costs
 * what a deleted one does: there it goes by whole days, and only what a day has not refilled is deleted.
 */
export function giveUpExpired(state: DeviceState, ring: Ring, nowMs: number): number[] {
  const limitMs = Math.min(retainedFromMs(state, nowMs), unsettledFromMs(state));
  const byAge = ring.entries().toSorted((a, b) => a.endMs - b.endMs);
  const end = byAge.findIndex(({ endMs }) => endMs > limitMs);
  const expired = end < 0 ? byAge : byAge.slice(0, end);
  const kept = expired.filter((entry) => !isGivenUp(state, entry));
  const reports = state.open.length > 0;
  if (reports && (kept.length === 0 || kept[0]!.endMs > limitMs - DAY_MS)) return [];
  const free = reports ? expired.filter((entry) => isGivenUp(state, entry)) : expired;
  state.evictedThroughMs = Math.max(state.evictedThroughMs, ...kept.map(({ endMs }) => endMs));
  state.expired += kept.length;
  return free.map(({ slot }) => slot);
}

/** Whether a block has to be in storage before what begins before `beforeMs` can be handed over. */
export const beginsBefore =
  (beforeMs: number) =>
  ({ mark }: OpenBlock) =>
    mark.startMs < beforeMs;

/**
 * Hands everything before `beforeMs` over to the archive: from then on it is refused as too old, and hot answers begin
 * after it. Only when storage has every block that begins before it; gives how many it does not have, open ones included.
 * @throws when `beforeMs` is within the lateness horizon: readings of that time may still come.
 */
export function handOver(state: DeviceState, beforeMs: number, nowMs: number): { pending: number } {
  const { latenessHorizonMs } = state.settings;
  if (!(beforeMs <= nowMs - latenessHorizonMs)) {
    const iso = (ms: number) => new Date(ms).toISOString();
    const horizon = `${iso(nowMs - latenessHorizonMs)}, the lateness horizon (${latenessHorizonMs / DAY_MS} days)`;
    throw new RangeError(`${iso(beforeMs)} is after ${horizon}; hand over only what lies before it`);
  }
  const starts = new Set(
    [...state.outbox, ...state.open.map(({ mark }) => mark)].map(({ startMs }) => startMs),
  );
  if (state.unlistedFromMs !== null) starts.add(state.unlistedFromMs);
  const pending = [...starts].filter((startMs) => startMs < beforeMs).length;
  if (pending === 0) state.evictedThroughMs = Math.max(state.evictedThroughMs, beforeMs);
  return { pending };
}
