// Blocks → the columns of a raw Parquet file, sorted by device, metric and at.
import type { Block } from "../block/block.ts";

export interface ArchivedBlock {
  device: string;
  revision: number;
  block: Block;
}

/** Parallel columns of one file, ready to write. Instants are epoch ms; the span is that of the block a row came with. */
export interface RawColumns {
  device: string[];
  metric: string[];
  at: BigInt64Array;
  value: Float64Array;
  revision: Int32Array;
  blockStart: BigInt64Array;
  blockEnd: BigInt64Array;
}

/** Sorted by device, metric, at: equal neighbours cost nearly nothing, and a reader finds a device's metric in few row groups. */
export function rawColumns(blocks: readonly ArchivedBlock[]): RawColumns {
  const parts = blocks
    .flatMap(({ device, revision, block }) =>
      block.columns.map((column) => ({
        device,
        revision,
        ...column,
        startMs: block.startMs,
        endMs: block.endMs,
      })),
    )
    .filter(({ at }) => at.length > 0)
    .sort(
      (a, b) =>
        compare(a.device, b.device) ||
        compare(a.metric, b.metric) ||
        a.startMs - b.startMs ||
        a.revision - b.revision,
    );
  const rows = parts.reduce((sum, { at }) => sum + at.length, 0);
  const columns: RawColumns = {
    device: new Array(rows),
    metric: new Array(rows),
    at: new BigInt64Array(rows),
    value: new Float64Array(rows),
    revision: new Int32Array(rows),
    blockStart: new BigInt64Array(rows),
    blockEnd: new BigInt64Array(rows),
  };
  let row = 0;
  let ascending = true;
  for (const { device, metric, revision, startMs, endMs, at, value } of parts) {
    const before = row - 1;
    ascending &&=
      row === 0 ||
      columns.device[before] !== device ||
      columns.metric[before] !== metric ||
      columns.at[before]! < BigInt(at[0]!);
    columns.blockStart.fill(BigInt(startMs), row, row + at.length);
    columns.blockEnd.fill(BigInt(endMs), row, row + at.length);
    for (let i = 0; i < at.length; i++, row++) {
      columns.device[row] = device;
      columns.metric[row] = metric;
      columns.at[row] = BigInt(at[i]!);
      columns.value[row] = value[i]!;
      columns.revision[row] = revision;
    }
  }
  return ascending ? columns : reordered(columns);
}

/** The same rows sorted whole: only an hour that was cut, stored beside its older revision, has parts that overlap. */
function reordered(columns: RawColumns): RawColumns {
  const { device, metric, at, value, revision, blockStart, blockEnd } = columns;
  const order = Array.from(device, (_, row) => row).sort(
    (a, b) =>
      compare(device[a]!, device[b]!) ||
      compare(metric[a]!, metric[b]!) ||
      Number(at[a]! - at[b]!) ||
      revision[a]! - revision[b]!,
  );
  return {
    device: order.map((row) => device[row]!),
    metric: order.map((row) => metric[row]!),
    at: BigInt64Array.from(order, (row) => at[row]!),
    value: Float64Array.from(order, (row) => value[row]!),
    revision: Int32Array.from(order, (row) => revision[row]!),
    blockStart: BigInt64Array.from(order, (row) => blockStart[row]!),
    blockEnd: BigInt64Array.from(order, (row) => blockEnd[row]!),
  };
}

/** By UTF-16 units, as JavaScript and, for the names allowed, Parquet statistics order them. */
export const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
