// What has left for storage and was not confirmed: what is sent again, and when the object must wake for it.
import type { BlockReceipt } from "../../schemas/message.ts";
import type { SealTiming } from "./seal.ts";
import type { DeviceState, Pending } from "./state.ts";

/** The longest distance between two sendings of the same block. */
const RESEND_MS_MAX = 6 * 3_600_000;
/** How many blocks one commit or alarm sends again, oldest first: a queue that was away is not flooded when it is back. */
export const RESEND_AT_ONCE = 20;

/** Takes the pending blocks whose time has come, oldest first, and notes them as sent again at `wallMs`. */
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

/** Notes that storage has these revisions; a block sealed again meanwhile stays pending. Gives what it took off. */
export function confirm(state: DeviceState, stored: readonly BlockReceipt[]): Pending[] {
  const isStored = ({ startMs, revision }: Pending) =>
    stored.some((receipt) => receipt.startMs === startMs && receipt.revision >= revision);
  const taken = state.outbox.filter(isStored);
  state.outbox = state.outbox.filter((pending) => !isStored(pending));
  return taken;
}

/**
 * Whether confirmations that only memory knows of deserve a commit of their own: when no other is expected, or when the
 * block was sent again, so an earlier confirmation was forgotten in the object's sleep.
 */
export const needsCommit = (state: DeviceState, taken: readonly Pending[]) =>
  state.open.length === 0 || taken.some(({ attempts }) => attempts > 1);
