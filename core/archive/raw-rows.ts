// Blocks → the rows of a raw Parquet file, sorted by device, metric and at.
import type { Block } from "../block/block.ts";
import { readingsOf } from "../block/marks.ts";
import type { Rows } from "./layout.ts";

/** A block of a device at a revision, to be written to the archive. */
export interface ArchivedBlock {
  device: string;
  revision: number;
  block: Block;
}

/** The columns of the layout RAW. */
export type RawColumns = Rows &
  Record<"at" | "value" | "revision" | "block_start" | "block_end", Float64Array>;

const NUMBERS = ["at", "value", "revision", "block_start", "block_end"] as const;

/**
 * Returns the rows of blocks, sorted by device, metric, at: equal neighbours cost nearly nothing, and a reader finds
 * a device's metric in few row groups.
 */
export function rawColumns(blocks: readonly ArchivedBlock[]): RawColumns {
  const parts = blocks
    .flatMap(({ device, revision, block }) =>
      readingsOf(block.columns).map((column) => ({
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
  const count = parts.reduce((sum, { at }) => sum + at.length, 0);
  const columns = {
    device: new Array<string>(count),
    metric: new Array<string>(count),
    ...Object.fromEntries(NUMBERS.map((name) => [name, new Float64Array(count)])),
  } as RawColumns;
  let row = 0;
  let ascending = true;
  for (const { device, metric, revision, startMs, endMs, at, value } of parts) {
    const end = row + at.length;
    ascending &&=
      row === 0 ||
      columns.device[row - 1] !== device ||
      columns.metric[row - 1] !== metric ||
      columns.at[row - 1]! < at[0]!;
    columns.device.fill(device, row, end);
    columns.metric.fill(metric, row, end);
    columns.at.set(at, row);
    columns.value.set(value, row);
    columns.revision.fill(revision, row, end);
    columns.block_start.fill(startMs, row, end);
    columns.block_end.fill(endMs, row, end);
    row = end;
  }
  return ascending ? columns : reordered(columns);
}

/** The same rows sorted whole: only an hour that was cut, stored beside its older revision, has parts that overlap. */
function reordered(columns: RawColumns): RawColumns {
  const { device, metric, at, revision } = columns;
  const order = Array.from(device, (_, row) => row).sort(
    (a, b) =>
      compare(device[a]!, device[b]!) ||
      compare(metric[a]!, metric[b]!) ||
      at[a]! - at[b]! ||
      revision[a]! - revision[b]!,
  );
  return {
    device: order.map((row) => device[row]!),
    metric: order.map((row) => metric[row]!),
    ...Object.fromEntries(
      NUMBERS.map((name) => [name, Float64Array.from(order, (row) => columns[name][row]!)]),
    ),
  } as RawColumns;
}

/** Compares two texts by UTF-16 units, as JavaScript and, for the names allowed, Parquet statistics order them. */
export const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
