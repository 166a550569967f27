// Blocks → the columns of a raw Parquet file, sorted by device, metric and at.
import type { Block } from "../block/block.ts";

export interface ArchivedBlock {
  device: string;
  revision: number;
  block: Block;
}

/** Parallel columns of one file, ready to write. `at` is epoch ms. */
export interface RawColumns {
  device: string[];
  metric: string[];
  at: BigInt64Array;
  value: Float64Array;
  revision: Int32Array;
}

/** Sorted by device, metric, at: equal neighbours cost nearly nothing, and a reader finds a device's metric in few row groups. */
export function rawColumns(blocks: readonly ArchivedBlock[]): RawColumns {
  const parts = blocks
    .flatMap(({ device, revision, block }) => block.columns.map((column) => ({ device, revision, ...column, startMs: block.startMs })))
    .filter(({ at }) => at.length > 0)
    .sort((a, b) => compare(a.device, b.device) || compare(a.metric, b.metric) || a.startMs - b.startMs || a.revision - b.revision);
  const rows = parts.reduce((sum, { at }) => sum + at.length, 0);
  const columns: RawColumns = {
    device: new Array(rows),
    metric: new Array(rows),
    at: new BigInt64Array(rows),
    value: new Float64Array(rows),
    revision: new Int32Array(rows),
  };
  let row = 0;
  for (const { device, metric, revision, at, value } of parts) {
    for (let i = 0; i < at.length; i++, row++) {
      columns.device[row] = device;
      columns.metric[row] = metric;
      columns.at[row] = BigInt(at[i]!);
      columns.value[row] = value[i]!;
      columns.revision[row] = revision;
    }
  }
  return columns;
}

/** By UTF-16 units, as JavaScript and, for the names allowed, Parquet statistics order them. */
export const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
