// One block that still takes readings: its bytes, and its columns once somebody needs them.

import type { ThinnedCount } from "../../schemas/message.ts";
import type { Block, Column } from "../block/block.ts";
import { lowerBound } from "../block/cut.ts";
import { decodeBlock, readBlockHeader } from "../block/decode.ts";
import { encodeBlock } from "../block/encode.ts";
import { COUNTED, EXTREME, isMark } from "../block/marks.ts";
import { Sampled } from "./sampled.ts";

/** The span `[startMs, endMs)` of an open block, and how it will be sealed. */
export interface BlockMark {
  startMs: number;
  endMs: number;
  /** The ring slot the block came from; null when it was never sealed. */
  slot: number | null;
  /** The revision that its sealing makes. */
  revision: number;
  /** Length in ms of the bucket the block was made for; the span may be a part of that bucket. */
  bucketMs: number;
  /** Receipt time of the report that opened the block, epoch ms. */
  openedAt: number;
  /** Whether the block holds something that no sealed block holds. */
  dirty: boolean;
}

/** A block of the open set. Columns are decoded on first use and bytes encoded on first use after a change. */
export class OpenBlock {
  readonly mark: BlockMark;
  /** The commit that last changed the block; the smallest is the least recently touched. */
  touched: number;
  #bytes: Uint8Array | undefined;
  #columns: Map<string, Column> | undefined;
  #sampled = new Map<string, Sampled>();
  #nameBytes = 0;

  constructor(mark: BlockMark, bytes?: Uint8Array, touched = 0) {
    this.mark = mark;
    this.touched = touched;
    this.#bytes = bytes;
    if (bytes === undefined) this.#columns = new Map();
  }

  /** Returns the columns by metric, decoded on first use; whoever changes one calls `changed`. */
  columns(): Map<string, Column> {
    if (this.#columns === undefined) {
      const { columns } = decodeBlock(this.#bytes!);
      const all = new Map(columns.map((column) => [column.metric, column]));
      this.#columns = new Map([...all].filter(([name]) => !isMark(name)));
      for (const [metric, column] of this.#columns) {
        this.#nameBytes += metric.length * 3;
        const [counts, extremes] = [all.get(COUNTED + metric), all.get(EXTREME + metric)];
        if (counts !== undefined) this.#sampled.set(metric, new Sampled(column, counts, extremes));
      }
    }
    return this.#columns;
  }

  /** Returns what is thinned of a metric that the block has; undefined when nothing ever was. */
  sampledOf(metric: string): Sampled | undefined {
    this.columns();
    return this.#sampled.get(metric);
  }

  /** Notes what is thinned of a metric that the block has. */
  setSampled(metric: string, sampled: Sampled): Sampled {
    this.#sampled.set(metric, sampled);
    return sampled;
  }

  /** Adds a column, an empty one when absent, and returns it. `nameBytes` then counts its name. */
  addColumn(metric: string, column: Column = { metric, at: [], value: [] }): Column {
    this.columns().set(metric, column);
    this.#nameBytes += metric.length * 3;
    return column;
  }

  /** An upper bound of the UTF-8 bytes of the metric names (a UTF-16 unit takes at most three). */
  get nameBytes(): number {
    return this.#nameBytes;
  }

  /** How many readings the block has, of all metrics, and marks of what is thinned. */
  get readingCount(): number {
    if (this.#columns === undefined) return readBlockHeader(this.#bytes!).readingCount;
    let count = 0;
    for (const { at } of this.block().columns) count += at.length;
    return count;
  }

  /** The earliest instant of a reading, epoch ms; Infinity when the block has no readings. */
  get firstAt(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { at } of this.columns().values()) first = Math.min(first, at[0] ?? first);
    return first;
  }

  /** Notes that a column was changed: the block is dirty, and its bytes are encoded anew when needed. */
  changed(): void {
    this.mark.dirty = true;
    this.#bytes = undefined;
  }

  /** Returns the block as `encodeBlock` takes it, marks of what is thinned too; the columns are shared, not copied. */
  block(): Block {
    const columns = [...this.columns().values()];
    for (const [metric, { counts, extremes }] of this.#sampled) {
      if (counts.at.length > 0) columns.push({ metric: COUNTED + metric, ...counts });
      if (extremes.at.length > 0) columns.push({ metric: EXTREME + metric, ...extremes });
    }
    return { startMs: this.mark.startMs, endMs: this.mark.endMs, columns };
  }

  /** Returns the block encoded as it is sealed: every reading it has is then kept for itself. */
  sealedBytes(): Uint8Array {
    const { columns, ...span } = this.block();
    const kept = columns.filter(({ metric }) => !metric.startsWith(EXTREME));
    return kept.length === columns.length ? this.bytes() : encodeBlock({ ...span, columns: kept });
  }

  /** Returns the encoded block. */
  bytes(): Uint8Array {
    this.#bytes ??= encodeBlock(this.block());
    return this.#bytes;
  }

  /**
   * Returns the readings of one metric in `[fromMs, toMs)`, ascending; none when the block does not have the metric.
   */
  readings(metric: string, fromMs: number, toMs: number): { at: number[]; value: number[] } {
    const column = this.columns().get(metric);
    if (column === undefined) return { at: [], value: [] };
    const start = lowerBound(column.at, fromMs);
    const end = lowerBound(column.at, toMs);
    return { at: column.at.slice(start, end), value: column.value.slice(start, end) };
  }

  /** Returns how many readings of the metric were thinned in `[fromMs, toMs)`, as `Sampled.thinned` does. */
  thinned(metric: string, fromMs: number, toMs: number): ThinnedCount[] {
    const all = this.sampledOf(metric)?.thinned() ?? [];
    return all.filter(({ at }) => at >= fromMs && at < toMs);
  }
}
