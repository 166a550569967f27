// Imported readings of a device and the blocks it has → the blocks that change, each at its next revision.
import type { Column } from "../block/block.ts";
import { columnsBetween, cutInstant, isTooLarge } from "../block/cut.ts";
import { encodeBlock } from "../block/encode.ts";
import { alignDown, BUCKET_MS_MAX } from "../window/align.ts";
import type { RevisedBlock } from "./newest-rows.ts";

/** How many imported readings were new, known already, or replaced a known value. */
export interface ImportCounts {
  stored: number;
  duplicate: number;
  corrected: number;
}

/** Readings by metric, as parallel columns, instants ascending. */
export type Readings = ReadonlyMap<
  string,
  { readonly at: readonly number[]; readonly value: readonly number[] }
>;

/** The span of a block of the device, and its revision. */
export interface KnownBlock {
  startMs: number;
  endMs: number;
  revision: number;
}

/**
 * Returns the blocks that imported readings change, each at its next revision, and what became of the readings. A
 * reading goes into the block whose span holds its instant, else into a new block of at most a bucket that no other
 * block reaches into, within `span`. The imported value wins. Blocks keep their starts, so that a message on its way
 * about one of them finds it. Unchanged blocks are left out.
 * @param known every block of the device that reaches into `span`, disjoint
 * @param contents by start, the readings of the blocks that hold an imported instant; see `touchedBlocks`
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

/** Returns the starts of the blocks of the device whose spans hold an imported instant. */
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

/** Halves a block that is too large at its median instant, again and again, as its device would: so is its rollup bounded. */
function cut({ revision, block }: RevisedBlock): RevisedBlock[] {
  const readingCount = block.columns.reduce((sum, { at }) => sum + at.length, 0);
  const cutMs = isTooLarge(readingCount, () => encodeBlock(block)) ? cutInstant(block.columns) : undefined;
  if (cutMs === undefined) return [{ revision, block }];
  const part = (startMs: number, endMs: number) =>
    cut({ revision, block: { startMs, endMs, columns: columnsBetween(block.columns, startMs, endMs) } });
  return [...part(block.startMs, cutMs), ...part(cutMs, block.endMs)];
}
