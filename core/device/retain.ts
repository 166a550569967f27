// How far back a device keeps its readings: what it gives up when they are old, and what it hands over to the archive.
import type { PackedReports } from "../../schemas/message.ts";
import { forEachReport } from "../report/pack.ts";
import { rawFromMs } from "../retention.ts";
import { DAY_MS } from "../time.ts";
import type { OpenBlock } from "./open-block.ts";
import type { Ring, RingEntry } from "./ring.ts";
import type { DeviceState } from "./state.ts";

/**
 * Returns the oldest `at` that the device takes of a report received at `receivedAt`, epoch ms: within the lateness
 * horizon, and not in a span that the device gave up or handed over.
 */
export const oldestTaken = (state: DeviceState, receivedAt: number) =>
  Math.max(receivedAt - state.settings.latenessHorizonMs, state.evictedThroughMs);

/** Of each report of a request, in order: whether the device takes it, or refuses it as too old. */
export type TakenMarks = readonly boolean[];

/**
 * Returns a mark for each report of a request, for all who look at it. The marks hold until the device gives up or
 * hands over a span.
 */
export function markTaken(state: DeviceState, reports: PackedReports): TakenMarks {
  const marks: boolean[] = [];
  forEachReport(reports, (_id, at, receivedAt) => marks.push(at >= oldestTaken(state, receivedAt)));
  return marks;
}

/**
 * Returns the instant before which storage has every reading of the device, epoch ms; the largest safe integer when
 * nothing is open or unconfirmed.
 */
export const unsettledFromMs = ({ outbox, open, unlistedFromMs }: DeviceState) =>
  Math.min(
    unlistedFromMs ?? Number.MAX_SAFE_INTEGER,
    ...outbox.map(({ startMs }) => startMs),
    ...open.map(({ mark }) => mark.startMs),
  );

/**
 * Whether a block lies in a span that the device gave up or handed over: its readings are neither answered nor taken
 * any more, and its slot may be overwritten.
 */
export const isGivenUp = (state: DeviceState, { endMs }: Pick<RingEntry, "endMs">) =>
  endMs <= state.evictedThroughMs;

/**
 * Gives up the ring's blocks that are older than the device keeps, oldest first, up to where the oldest block begins
 * that is open or unconfirmed, and returns the slots whose rows are to be deleted. An idle device, which has no block
 * open, deletes the rows at once. A device with a block open will overwrite freed slots by itself, for the price of
 * deleting them: it gives up blocks a whole day at a time, and deletes only slots that were freed by an earlier call
 * and not overwritten since.
 */
export function giveUpExpired(state: DeviceState, ring: Ring, nowMs: number): number[] {
  const limitMs = Math.min(rawFromMs(state.settings, nowMs), unsettledFromMs(state));
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

/**
 * Returns a test of open blocks: whether a block begins before `beforeMs`, so that it has to be in storage before
 * that time can be handed over.
 */
export const beginsBefore =
  (beforeMs: number) =>
  ({ mark }: OpenBlock) =>
    mark.startMs < beforeMs;

/**
 * Hands everything before `beforeMs`, epoch ms, over to the archive, if storage has every block that begins before
 * it: from then on older readings are refused as too old, and hot answers begin there. Returns how many blocks
 * storage does not have, open ones included; unless that is 0, nothing changes.
 * @throws RangeError when `beforeMs` is within the lateness horizon: readings of that time may still come.
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
