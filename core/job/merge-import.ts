// Imported readings of a device and the blocks it has → the blocks that change, each at its next revision.
import type { Block, Column } from "../block/block.ts";
import { encodeBlock } from "../block/encode.ts";
import { BLOCK_BYTES_MAX, BLOCK_READINGS_MAX } from "../device/seal.ts";
import { alignDown, BUCKET_MS_MAX } from "../window/align.ts";
import type { RevisedBlock } from "./newest-rows.ts";

export interface ImportCounts {
  stored: number;
  duplicate: number;
  corrected: number;
}

/** Readings by metric, instants ascending. */
export type Readings = ReadonlyMap<
  string,
  { readonly at: readonly number[]; readonly value: readonly number[] }
>;

/** A block of the device: its span, and where its readings are wanted, those. */
export interface KnownBlock {
  startMs: number;
  endMs: number;
  revision: number;
}

/**
 * A reading goes into the block that holds its instant, else into a new one of at most a bucket that no other block
 * reaches into, within `span`. The imported value wins. Blocks keep their starts, so that a message of one that is still
 * on its way finds it; unchanged ones are not given.
 *
 * @param known every block of the device that reaches into `span`, disjoint
 * @param contents the readings of those that hold an imported instant; see `touchedBlocks`
 */
export function mergeImport(
  readings: Readings,
  known: readonly KnownBlock[],
  contents: ReadonlyMap<number, RevisedBlock>,
  span: { fromMs: number; toMs: number },
): { blocks: RevisedBlock[]; counts: ImportCounts } {
  const counts: ImportCounts = { stored: 0, duplicate: 0, corrected: 0 };
  const spans = [...known].sort((a, b) => a.startMs - b.startMs);
  const builders = new Map<number, BlockBuilder>();
  for (const [metric, { at, value }] of readings) {
    let builder: BlockBuilder | undefined;
    for (const [i, instant] of at.entries()) {
      if (builder === undefined || instant < builder.startMs || instant >= builder.endMs) {
        const { startMs, endMs, revision } = blockAt(spans, instant, span);
        builder = builders.get(startMs) ?? new BlockBuilder(startMs, endMs, revision, contents.get(startMs));
        builders.set(startMs, builder);
      }
      counts[builder.put(metric, instant, value[i]!)] += 1;
    }
  }
  const changed = [...builders.values()].filter(({ isChanged }) => isChanged);
  return { blocks: changed.flatMap((builder) => cut(builder.finish())), counts };
}

/** The blocks of the device that hold an imported instant, by start. */
export function touchedBlocks(readings: Readings, known: readonly KnownBlock[]): Set<number> {
  const spans = [...known].sort((a, b) => a.startMs - b.startMs);
  const touched = new Set<number>();
  for (const { at } of readings.values()) {
    for (const instant of at) {
      const index = lastNotAfter(spans, instant);
      if (index >= 0 && instant < spans[index]!.endMs) touched.add(spans[index]!.startMs);
    }
  }
  return touched;
}

/** The block that holds the instant; a new one (revision 0) is noted among the `spans`. */
function blockAt(spans: KnownBlock[], instant: number, span: { fromMs: number; toMs: number }): KnownBlock {
  const before = lastNotAfter(spans, instant);
  const found = spans[before];
  if (found !== undefined && instant < found.endMs) return found;
  const bucketMs = alignDown(instant, BUCKET_MS_MAX);
  const made = {
    startMs: Math.max(bucketMs, found?.endMs ?? bucketMs, span.fromMs),
    endMs: Math.min(bucketMs + BUCKET_MS_MAX, spans[before + 1]?.startMs ?? span.toMs, span.toMs),
    revision: 0,
  };
  spans.splice(before + 1, 0, made);
  return made;
}

/** The last block that starts at or before the instant; −1: none does. */
function lastNotAfter(spans: readonly KnownBlock[], instant: number): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (spans[middle]!.startMs <= instant) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

class BlockBuilder {
  readonly startMs: number;
  readonly endMs: number;
  readonly #revision: number;
  readonly #columns = new Map<string, Map<number, number>>();
  isChanged = false;

  constructor(startMs: number, endMs: number, revision: number, contents: RevisedBlock | undefined) {
    this.startMs = startMs;
    this.endMs = endMs;
    // The archive's rows may be of a higher revision than what D1 says while a block is stored anew.
    this.#revision = Math.max(revision, contents?.revision ?? 0);
    for (const { metric, at, value } of contents?.block.columns ?? []) {
      this.#columns.set(metric, new Map(at.map((instant, i) => [instant, value[i]!])));
    }
  }

  put(metric: string, at: number, value: number): keyof ImportCounts {
    const column = this.#columns.get(metric) ?? new Map<number, number>();
    this.#columns.set(metric, column);
    const known = column.get(at);
    if (Object.is(known, value)) return "duplicate";
    this.isChanged = true;
    column.set(at, value);
    return known === undefined ? "stored" : "corrected";
  }

  finish(): RevisedBlock {
    const columns = [...this.#columns].map(([metric, points]): Column => {
      const at = [...points.keys()].sort((a, b) => a - b);
      return { metric, at, value: at.map((instant) => points.get(instant)!) };
    });
    const { startMs, endMs } = this;
    return { revision: this.#revision + 1, block: { startMs, endMs, columns } };
  }
}

const isLarge = (block: Block) =>
  block.columns.reduce((sum, { at }) => sum + at.length, 0) > BLOCK_READINGS_MAX ||
  encodeBlock(block).length > BLOCK_BYTES_MAX;

/** Halves a block that is too large at its median instant, again and again, as its device would: so is its rollup bounded. */
function cut({ revision, block }: RevisedBlock): RevisedBlock[] {
  if (!isLarge(block)) return [{ revision, block }];
  const instants = [...new Set(block.columns.flatMap(({ at }) => at))].sort((a, b) => a - b);
  if (instants.length < 2) return [{ revision, block }];
  const cutMs = instants[instants.length >>> 1]!;
  const { startMs, endMs } = block;
  return [
    ...cut({ revision, block: part(block, startMs, cutMs) }),
    ...cut({ revision, block: part(block, cutMs, endMs) }),
  ];
}

function part({ columns }: Block, startMs: number, endMs: number): Block {
  const kept = columns.map(({ metric, at, value }) => {
    const rows = at.flatMap((instant, row) => (instant >= startMs && instant < endMs ? [row] : []));
    return { metric, at: rows.map((row) => at[row]!), value: rows.map((row) => value[row]!) };
  });
  return { startMs, endMs, columns: kept.filter(({ at }) => at.length > 0) };
}
