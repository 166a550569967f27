// Where sealed blocks rest: which slot the next takes, and which slot holds an instant.

/** One slot of the ring in use: the span `[startMs, endMs)` of its block, the block's revision, and its size. */
export interface RingEntry {
  slot: number;
  startMs: number;
  endMs: number;
  revision: number;
  bytes: number;
}

/** What the device object lets `core` see of its ring table; a `Map` is a full test double. */
export interface Ring {
  /** Every slot in use, in any order. */
  entries(): readonly RingEntry[];
  /**
   * Returns the encoded block of a slot.
   * @throws Error when the slot is not in use.
   */
  read(slot: number): Uint8Array;
}

/**
 * A ring of at most so many bytes keeps blocks past the horizon: more questions are answered hot, and a recording
 * that is sent again is recognised.
 */
export const RING_KEEP_BYTES = 512 * 1024;
/** A ring of fewer slots keeps blocks past the horizon, if it is within `RING_KEEP_BYTES`. */
export const RING_KEEP_SLOTS = 1_500;

/** Returns the slot whose block's span holds `at`; undefined when none does. */
export const entryAt = (ring: Ring, at: number) =>
  ring.entries().find((entry) => entry.startMs <= at && at < entry.endMs);

/**
 * Returns the slot that a newly sealed block takes, and the entry given up for it; undefined when none is. First come
 * slots whose blocks, ending at or before `givenUpMs`, were given up before; then the oldest slot, when its block
 * ends at or before `evictableMs` and the ring is large; else a new slot. A slot in `inUse` (unconfirmed, or open
 * again) is never taken, nor is one newer than it: the ring holds everything from one instant on, without gaps.
 */
export function chooseSlot(
  entries: readonly RingEntry[],
  evictableMs: number,
  inUse: ReadonlySet<number>,
  givenUpMs = 0,
): { slot: number; evicted: RingEntry | undefined } {
  let next = 0;
  let bytes = 0;
  let oldest: RingEntry | undefined;
  for (const entry of entries) {
    next = Math.max(next, entry.slot + 1);
    bytes += entry.bytes;
    if (oldest === undefined || entry.endMs < oldest.endMs) oldest = entry;
  }
  if (oldest !== undefined && oldest.endMs <= givenUpMs && !inUse.has(oldest.slot))
    return { slot: oldest.slot, evicted: undefined };
  const large = bytes > RING_KEEP_BYTES || entries.length >= RING_KEEP_SLOTS;
  if (oldest !== undefined && large && oldest.endMs <= evictableMs && !inUse.has(oldest.slot)) {
    return { slot: oldest.slot, evicted: oldest };
  }
  return { slot: next, evicted: undefined };
}
