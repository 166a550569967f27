// What a device's object waits for → whether it asks its device to slow down, long before anything has to be refused.
import { OUTBOX_MAX } from "./outbox.ts";
import type { DeviceState } from "./state.ts";
import type { SealTiming } from "./timing.ts";

/** So many blocks that wait too long are no hiccup: of a steady device they are most of a day. */
const STRAINED_BLOCKS = 20;
/** How long a device is asked to wait when the outbox is full; less in proportion. */
const WAIT_MS_MAX = 60_000;
/** How long a device is asked to wait when all that is known is that the queue is behind. */
const QUEUE_WAIT_MS = 5_000;
/** What was heard of the queue holds so long: a steady device sends to it once an hour. */
const HEARD_MS = 5 * 60_000;
/** A block or a message that waits longer is behind: storage has most within a minute. */
const BEHIND_MS = 15 * 60_000;

/** What the queue said when it was last sent to; in memory only. */
export interface QueueHeard {
  /** Epoch ms by the wall clock. */
  heardAtMs: number;
  /** Whether it refused what it was sent. */
  isRefusing: boolean;
  /** How old the oldest message in it was, in ms; 0 where it does not say. */
  oldestMs: number;
}

/**
 * Returns how long the device is to wait before it sends more, in ms; 0: it need not. It is to wait while 20 blocks were not
 * confirmed within a quarter of an hour (a minute when the outbox is full of them), and for five minutes after a queue
 * refused a block or was a quarter of an hour behind. A backlog that was just sealed is no strain. Linear in the outbox,
 * of at most 1,000 blocks.
 */
export function slowDownMsOf(
  { outbox, unlistedFromMs }: Pick<DeviceState, "outbox" | "unlistedFromMs">,
  heard: QueueHeard | undefined,
  wallMs: number,
  { resendMs }: Pick<SealTiming, "resendMs">,
): number {
  if (unlistedFromMs !== null) return WAIT_MS_MAX;
  // It is sent again after `resendMs`, then after twice that, and so forth.
  const waitedMs = (attempts: number) => resendMs * (2 ** (attempts - 1) - 1);
  let late = 0;
  for (const { attempts } of outbox) if (waitedMs(attempts) >= BEHIND_MS) late += 1;
  if (late >= STRAINED_BLOCKS) return Math.ceil((WAIT_MS_MAX * late) / OUTBOX_MAX);
  const isFresh = heard !== undefined && wallMs - heard.heardAtMs < HEARD_MS;
  return isFresh && (heard.isRefusing || heard.oldestMs > BEHIND_MS) ? QUEUE_WAIT_MS : 0;
}
