// Where sealed blocks rest: which slot the next takes, and which slot holds an instant.

/** One slot of the ring: the span of its block, and how large it is. */
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
  /** The block of a slot in use. */
  read(slot: number): Uint8Array;
}

/** Blocks past the horizon are kept while they cost little: more answers come hot, and a repeated recording is known again. */
export const RING_KEEP_BYTES = 512 * 1024;
export const RING_KEEP_SLOTS = 1_500;

/** The slot that holds `at`, or undefined. */
export const entryAt = (ring: Ring, at: number) =>
  ring.entries().find((entry) => entry.startMs <= at && at < entry.endMs);

/**
 * The slot a newly sealed block takes, and the entry given up for it, if any. First come the slots that are free since
 * their blocks, which end at or before `givenUpMs`, were given up; then the oldest, when that is past the horizon and the
 * ring is large. A slot in `inUse` (unconfirmed, or open again) is never given up, nor is one newer than it: what
 * the ring holds begins at one instant, and everything after that is in it.
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
