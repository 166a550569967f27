// One block that still takes readings: its bytes, and its columns once somebody needs them.
import type { Block, Column } from "../block/block.ts";
import { decodeBlock, readBlockHeader } from "../block/decode.ts";
import { encodeBlock } from "../block/encode.ts";

/** What names a block: its half-open span, the ring slot it came from (null: none yet), and the revision its sealing makes. */
export interface BlockMark {
  startMs: number;
  endMs: number;
  slot: number | null;
  revision: number;
  /** Length of the bucket it was made for, of which it may have only a part. */
  bucketMs: number;
  /** Receipt time of the report that opened it. */
  openedAt: number;
  /** It holds something that no sealed block holds. */
  dirty: boolean;
}

/** A block of the open set. Columns are decoded on first use and bytes encoded on first use after a change. */
export class OpenBlock {
  readonly mark: BlockMark;
  /** The commit that last changed the block; the smallest is the least recently touched. */
  touched: number;
  #bytes: Uint8Array | undefined;
  #columns: Map<string, Column> | undefined;
  #nameBytes = 0;

  constructor(mark: BlockMark, bytes?: Uint8Array, touched = 0) {
    this.mark = mark;
    this.touched = touched;
    this.#bytes = bytes;
    if (bytes === undefined) this.#columns = new Map();
  }

  /** Columns by metric; whoever changes one calls `changed`. */
  columns(): Map<string, Column> {
    if (this.#columns === undefined) {
      const { columns } = decodeBlock(this.#bytes!);
      this.#columns = new Map(columns.map((column) => [column.metric, column]));
      for (const { metric } of columns) this.#nameBytes += metric.length * 3;
    }
    return this.#columns;
  }

  /** Adds an empty column; `nameBytes` afterwards bounds what the names take. */
  addColumn(metric: string): Column {
    const column: Column = { metric, at: [], value: [] };
    this.columns().set(metric, column);
    this.#nameBytes += metric.length * 3;
    return column;
  }

  /** An upper bound of the UTF-8 bytes of the metric names (a UTF-16 unit takes at most three). */
  get nameBytes(): number {
    return this.#nameBytes;
  }

  get readingCount(): number {
    if (this.#columns === undefined) return readBlockHeader(this.#bytes!).readingCount;
    let count = 0;
    for (const { at } of this.#columns.values()) count += at.length;
    return count;
  }

  /** The first instant of any reading; Infinity when it has none. */
  get firstAt(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { at } of this.columns().values()) first = Math.min(first, at[0] ?? first);
    return first;
  }

  changed(): void {
    this.mark.dirty = true;
    this.#bytes = undefined;
  }

  block(): Block {
    return { startMs: this.mark.startMs, endMs: this.mark.endMs, columns: [...this.columns().values()] };
  }

  bytes(): Uint8Array {
    this.#bytes ??= encodeBlock(this.block());
    return this.#bytes;
  }

  /** The readings of one metric in `[fromMs, toMs)`. */
  readings(metric: string, fromMs: number, toMs: number): { at: number[]; value: number[] } {
    const column = this.columns().get(metric);
    if (column === undefined) return { at: [], value: [] };
    const start = lowerBound(column.at, fromMs);
    const end = lowerBound(column.at, toMs);
    return { at: column.at.slice(start, end), value: column.value.slice(start, end) };
  }
}

/** The first index whose element is not below `at`; `instants` ascends. */
export function lowerBound(instants: readonly number[], at: number): number {
  let low = 0;
  let high = instants.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (instants[middle]! < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
