// Open blocks → sealed ones: which, when, and into which slots of the ring.
import { columnsBetween, cutInstant, isTooLarge } from "../block/cut.ts";
import { spreadOf } from "../spread.ts";
import { alignDown, WATERMARK_LAG_MS } from "../window/align.ts";
import { measure } from "./bucket.ts";
import { OpenBlock } from "./open-block.ts";
import { notePending } from "./outbox.ts";
import { chooseSlot, type Ring, type RingEntry } from "./ring.ts";
import type { DeviceState } from "./state.ts";
import type { SealTiming } from "./timing.ts";

/**
 * The largest open set, encoded, in bytes: a commit rewrites it as a row. A steady device holds two open blocks; one
 * that sends a backlog holds more.
 */
export const OPEN_BYTES_MAX = 64 * 1024;
/** A block opened after its bucket closed (a backlog) is due this long after it was opened, in ms. */
export const BACKLOG_SEAL_MS = 10 * 60_000;

/** A row of the ring to write, with its encoded block: newly sealed, or sealed again at a higher revision. */
export interface SealedBlock extends RingEntry {
  block: Uint8Array;
}

/**
 * Returns when a block is due to be sealed, epoch ms by the receipt clock: when its bucket closes, later by the
 * device's share of the spread, which is at most a bucket's length; for a block of a backlog not before
 * `BACKLOG_SEAL_MS` have passed.
 */
export function sealDueAt({ mark }: OpenBlock, device: string, timing: SealTiming): number {
  const bucketEndMs = alignDown(mark.startMs, mark.bucketMs) + mark.bucketMs;
  const spreadMs = Math.floor(spreadOf(device) * Math.min(timing.spreadMs, mark.bucketMs));
  const dueAt = bucketEndMs + WATERMARK_LAG_MS + spreadMs;
  return mark.openedAt < bucketEndMs ? dueAt : Math.max(dueAt, mark.openedAt + BACKLOG_SEAL_MS);
}

/**
 * Takes out of the open set the blocks that this commit seals, notes them in the outbox, and returns the ring rows to
 * write. Sealed are the blocks that are due and that this commit did not touch, those that `must` selects, the
 * earlier parts of a block grown too large, and the least recently touched blocks while the open set is too large. An
 * open block without changes is dropped, for the ring has it.
 */
export function sealBlocks(
  state: DeviceState,
  nowMs: number,
  ring: Ring,
  timing: SealTiming,
  must: (open: OpenBlock) => boolean = () => false,
): SealedBlock[] {
  const leaving: OpenBlock[] = [];
  const touch = state.commits + 1;
  let staying: OpenBlock[] = [];
  for (const open of state.open) {
    if (!open.mark.dirty) continue; // opened for duplicates only: the ring has it all
    const due = must(open) || (open.touched !== touch && sealDueAt(open, state.device, timing) <= nowMs);
    const parts = split(open);
    leaving.push(...(due ? parts : parts.slice(0, -1)));
    if (!due) staying.push(parts.at(-1)!);
  }
  let bytes = staying.reduce((sum, open) => sum + open.bytes().length, 0);
  const newestStart = Math.max(...staying.map(({ mark }) => mark.startMs));
  if (bytes > OPEN_BYTES_MAX) {
    const byAge = staying
      .filter(({ mark }) => mark.startMs !== newestStart)
      .sort((a, b) => a.touched - b.touched);
    for (const open of byAge) {
      if (bytes <= OPEN_BYTES_MAX) break;
      bytes -= open.bytes().length;
      leaving.push(open);
    }
    staying = staying.filter((open) => !leaving.includes(open));
  }
  state.open = staying;
  return leaving.length === 0 ? [] : intoRing(state, leaving, nowMs, ring, timing);
}

/**
 * Chooses a slot for each block, notes it as pending, and returns the ring rows; blocks given up for the slots are
 * counted.
 */
function intoRing(
  state: DeviceState,
  leaving: OpenBlock[],
  nowMs: number,
  ring: Ring,
  timing: SealTiming,
): SealedBlock[] {
  let entries = [...ring.entries()];
  const inUse = new Set(state.outbox.map(({ slot }) => slot));
  // Nothing newer than a block in the making is given up either: what is hot begins at one instant.
  let evictableMs = Math.min(
    nowMs - state.settings.latenessHorizonMs,
    state.unlistedFromMs ?? Number.MAX_SAFE_INTEGER,
  );
  for (const { mark } of [...state.open, ...leaving]) {
    if (mark.slot !== null) inUse.add(mark.slot);
    evictableMs = Math.min(evictableMs, mark.startMs);
  }
  return leaving.map((open) => {
    const { startMs, endMs, revision } = open.mark;
    const block = open.sealedBytes();
    const { slot, evicted } =
      open.mark.slot === null
        ? chooseSlot(entries, evictableMs, inUse, state.evictedThroughMs)
        : { slot: open.mark.slot, evicted: undefined };
    if (evicted !== undefined) {
      state.evictedThroughMs = Math.max(state.evictedThroughMs, evicted.endMs);
      state.expired += 1;
    }
    const entry: RingEntry = { slot, startMs, endMs, revision, bytes: block.length };
    entries = [...entries.filter((other) => other.slot !== slot), entry];
    inUse.add(slot);
    if (startMs >= (state.measured?.startMs ?? 0)) state.measured = measure(open);
    state.sealedThroughMs = Math.max(state.sealedThroughMs, endMs);
    notePending(state, entry, nowMs - state.clockOffsetMs, timing);
    return { ...entry, block };
  });
}

/**
 * Halves a block at its median instant until every part is small enough, and returns the parts, ascending. A block of
 * a single instant cannot be halved.
 */
function split(open: OpenBlock): OpenBlock[] {
  const cutMs = isTooLarge(open.readingCount, () => open.bytes())
    ? cutInstant(open.columns().values())
    : undefined;
  if (cutMs === undefined) return [open];
  const earlier = part(open, { ...open.mark, endMs: cutMs });
  const later = part(open, { ...open.mark, startMs: cutMs, slot: null });
  return [...split(earlier), ...split(later)];
}

/** Returns the readings of a block that lie in the mark's span, as a block of its own. */
function part(from: OpenBlock, mark: OpenBlock["mark"]): OpenBlock {
  const taken = new OpenBlock(mark);
  taken.touched = from.touched;
  for (const column of columnsBetween(from.columns().values(), mark.startMs, mark.endMs))
    taken.addColumn(column.metric, column);
  for (const [metric, column] of taken.columns()) {
    const sampled = from.sampledOf(metric);
    if (sampled !== undefined) taken.setSampled(metric, sampled.part(column, mark.startMs, mark.endMs));
  }
  return taken;
}
