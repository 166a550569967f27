// Open blocks → sealed ones: which, when, and into which slots of the ring.
import { ALLOWED_LATENESS_MS, alignDown } from "../window/align.ts";
import { measure } from "./bucket.ts";
import { OpenBlock } from "./open-block.ts";
import { notePending } from "./outbox.ts";
import { chooseSlot, type Ring, type RingEntry } from "./ring.ts";
import type { DeviceState } from "./state.ts";

/** Largest block, encoded: it fits one queue message (128 KB) and, with the rollup's row, one 64 KB operation. */
export const BLOCK_BYTES_MAX = 32 * 1024;
/** Largest open set, encoded: the row a commit rewrites. A steady device holds two blocks; a backlog holds more. */
export const OPEN_BYTES_MAX = 64 * 1024;
/** A block opened after its time (a backlog) is sealed this long after it was opened, when no new data drives it. */
export const BACKLOG_SEAL_MS = 10 * 60_000;

/** Most readings of a block, however small its bytes: steady values take almost none, and the format ends at a million. */
export const BLOCK_READINGS_MAX = 250_000;

export interface SealTiming {
  /** Sealing of a fleet is spread over this long, by a hash of the device. */
  spreadMs: number;
  /** An unconfirmed block is sent again after this long, then at doubling distance. */
  resendMs: number;
}

/** A row of the ring to write: a block newly sealed, or sealed again at a higher revision. */
export interface SealedBlock extends RingEntry {
  block: Uint8Array;
}

/**
 * A hash of the device's name in [0, 1): spreads a fleet over time and, later, over databases. FNV-1a alone gives names
 * that differ in their last digits nearly the same share; MurmurHash3's finaliser spreads them.
 */
export function spreadOf(device: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < device.length; i++) hash = Math.imul(hash ^ device.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** When a block is due to be sealed: its bucket closed, plus the device's share of the spread, within a bucket's length. */
export function sealDueAt({ mark }: OpenBlock, device: string, timing: SealTiming): number {
  const bucketEndMs = alignDown(mark.startMs, mark.bucketMs) + mark.bucketMs;
  const spreadMs = Math.floor(spreadOf(device) * Math.min(timing.spreadMs, mark.bucketMs));
  const dueAt = bucketEndMs + ALLOWED_LATENESS_MS + spreadMs;
  return mark.openedAt < bucketEndMs ? dueAt : Math.max(dueAt, mark.openedAt + BACKLOG_SEAL_MS);
}

/**
 * Takes out of the open set what this commit should seal, and gives the ring rows to write; their Pending entries join
 * the outbox. Sealed are: blocks that are due and that this commit did not touch, those that `must` be, the earlier parts
 * of a block grown too large, and the least recently touched while the open set is too large.
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
    const block = open.bytes();
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

const isLarge = (open: OpenBlock) =>
  open.readingCount > BLOCK_READINGS_MAX || open.bytes().length > BLOCK_BYTES_MAX;

/** Halves a block at its median instant until every part is small enough; a single instant cannot be halved. */
function split(open: OpenBlock): OpenBlock[] {
  if (!isLarge(open)) return [open];
  const { startMs, endMs } = open.mark;
  const instants = [...new Set([...open.columns().values()].flatMap((column) => column.at))].sort(
    (a, b) => a - b,
  );
  if (instants.length < 2) return [open];
  const cutMs = instants[instants.length >>> 1]!;
  const earlier = part(open, { ...open.mark, endMs: cutMs }, startMs, cutMs);
  const later = part(open, { ...open.mark, startMs: cutMs, slot: null }, cutMs, endMs);
  return [...split(earlier), ...split(later)];
}

function part(from: OpenBlock, mark: OpenBlock["mark"], fromMs: number, toMs: number): OpenBlock {
  const taken = new OpenBlock(mark);
  taken.touched = from.touched;
  for (const metric of from.columns().keys()) {
    const { at, value } = from.readings(metric, fromMs, toMs);
    if (at.length === 0) continue;
    const column = taken.addColumn(metric);
    for (let i = 0; i < at.length; i++) {
      column.at.push(at[i]!);
      column.value.push(value[i]!);
    }
  }
  return taken;
}
