// What has left for storage and was not confirmed: what is sent again, and when the object must wake for it.
import type { BlockReceipt } from "../../schemas/message.ts";
import { isSlow } from "./bucket.ts";
import { isGivenUp } from "./retain.ts";
import type { Ring, RingEntry } from "./ring.ts";
import type { DeviceState, Pending } from "./state.ts";
import type { SealTiming } from "./timing.ts";

/** The longest distance between two sendings of the same block, in ms. */
const RESEND_MS_MAX = 6 * 3_600_000;
/** How many blocks one commit or alarm sends again, oldest first: a queue that was away is not flooded when it is back. */
export const RESEND_AT_ONCE = 20;
/**
 * Most blocks the state row lists one by one, some 100 bytes each. A busy device has more while the queue is away for
 * days; `unlistedFromMs` stands for those.
 */
export const OUTBOX_MAX = 1_000;

/**
 * Notes that a block is sent to storage at `wallMs`: it is pending, at this revision only, until it is confirmed.
 * When the outbox is full, `unlistedFromMs` is moved back to the block's start instead.
 */
export function notePending(state: DeviceState, block: RingEntry, wallMs: number, timing: SealTiming): void {
  const { startMs, slot, revision } = block;
  const others = state.outbox.filter((other) => other.slot !== slot);
  if (others.length < OUTBOX_MAX)
    others.push({ startMs, slot, revision, resendAt: wallMs + timing.resendMs, attempts: 1 });
  else state.unlistedFromMs = Math.min(startMs, state.unlistedFromMs ?? startMs);
  state.outbox = others;
}

/**
 * Lists in the outbox the blocks that found no room, oldest first, once half of it is free. To be called before
 * anything is sealed: what the ring has is then what was last sealed. Some of the blocks may have been confirmed
 * already; they are sent and confirmed once more.
 */
export function listMore(state: DeviceState, ring: Ring, wallMs: number): void {
  const fromMs = state.unlistedFromMs;
  if (fromMs === null || state.outbox.length > OUTBOX_MAX / 2) return;
  const listed = new Set(state.outbox.map(({ slot }) => slot));
  const found = ring
    .entries()
    .filter(({ slot, startMs }) => startMs >= fromMs && !listed.has(slot))
    .sort((a, b) => a.startMs - b.startMs);
  const taken = found.splice(0, OUTBOX_MAX - state.outbox.length);
  const more = taken.map(({ startMs, slot, revision }) => ({
    startMs,
    slot,
    revision,
    resendAt: wallMs,
    attempts: 0,
  }));
  state.outbox = [...state.outbox, ...more];
  state.unlistedFromMs = found[0]?.startMs ?? null;
}

/**
 * Returns a page of the oldest sealed blocks of `[fromMs, toMs)` that begin after `afterMs`, confirmed or not, and
 * notes them as sent at `wallMs`. `nextMs` is the `afterMs` of the next page; null when this page is the last.
 */
export function takeAgain(
  state: DeviceState,
  ring: Ring,
  span: { fromMs: number; toMs: number; afterMs: number },
  wallMs: number,
  timing: SealTiming,
): { page: RingEntry[]; nextMs: number | null } {
  const { fromMs, toMs, afterMs } = span;
  const found = ring
    .entries()
    .filter((entry) => entry.startMs < toMs && entry.endMs > fromMs && entry.startMs > afterMs)
    .filter((entry) => !isGivenUp(state, entry))
    .sort((a, b) => a.startMs - b.startMs);
  const page = found.slice(0, RESEND_AT_ONCE);
  for (const entry of page) notePending(state, entry, wallMs, timing);
  return { page, nextMs: found.length > page.length ? page.at(-1)!.startMs : null };
}

/**
 * Returns the pending blocks that are due to be sent again, oldest first and at most `RESEND_AT_ONCE`, and notes them
 * as sent at `wallMs`. They stay in the outbox.
 */
export function takeOverdue(state: DeviceState, wallMs: number, timing: SealTiming): Pending[] {
  const overdue = state.outbox
    .filter(({ resendAt }) => resendAt <= wallMs)
    .sort((a, b) => a.startMs - b.startMs)
    .slice(0, RESEND_AT_ONCE);
  for (const pending of overdue) {
    pending.resendAt = wallMs + Math.min(RESEND_MS_MAX, timing.resendMs * 2 ** pending.attempts);
    pending.attempts += 1;
  }
  return overdue;
}

/**
 * Takes the blocks whose revision storage has out of the outbox, and returns them. A block sealed again meanwhile
 * stays pending, and receipts of an earlier life of the device confirm nothing.
 */
export function confirm(state: DeviceState, stored: readonly BlockReceipt[]): Pending[] {
  const own = stored.filter(({ generation }) => (generation ?? 0) === state.generation);
  const isStored = ({ startMs, revision }: Pending) =>
    own.some((receipt) => receipt.startMs === startMs && receipt.revision >= revision);
  const taken = state.outbox.filter(isStored);
  state.outbox = state.outbox.filter((pending) => !isStored(pending));
  return taken;
}

/**
 * Whether the confirmations of the blocks `taken` off the outbox, which only memory knows of so far, deserve a commit
 * of their own. They do when no other commit is expected before the blocks would be sent again; when a block was sent
 * more than once, so an earlier confirmation was lost when the object left memory; and when there is room for blocks
 * the outbox could not list.
 */
export const needsCommit = (state: DeviceState, taken: readonly Pending[]) =>
  state.open.length === 0 ||
  isSlow(state) ||
  (state.unlistedFromMs !== null && state.outbox.length === 0) ||
  taken.some(({ attempts }) => attempts > 1);
