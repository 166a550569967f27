// The columns of the archive's files: one description for who writes, merges and reads them.

export interface ArchiveColumn {
  name: string;
  type: "STRING" | "TIMESTAMP" | "DOUBLE" | "INT32";
  /** Instants that ascend or repeat; the rest is dictionary-coded where that is shorter. */
  encoding?: "DELTA_BINARY_PACKED";
  /** Row groups say its least and greatest value: a question skips those that cannot hold the answer. */
  isSought?: true;
  isNullable?: true;
}

export interface Layout {
  /** PERSISTED: what the file says of itself. Other columns are another layout; whoever reads knows all there ever were. */
  name: "raw/2" | "hourly/1";
  kind: "raw" | "hourly";
  /** The column that says a row's instant. */
  time: "at" | "start";
  columns: readonly ArchiveColumn[];
  /** Rows of a row group, fewest and most; see `rowGroupRows`. */
  groupRows: readonly [min: number, max: number];
  /** What the footer says of a row group. */
  footerBytes: number;
  /** One row decoded in memory. */
  rowBytes: number;
}

const SPAN = { type: "TIMESTAMP", encoding: "DELTA_BINARY_PACKED" } as const;

/** One reading a row. `block_start` and `block_end` are the span of the block it came with: replay gives those back. */
export const RAW: Layout = {
  name: "raw/2",
  kind: "raw",
  time: "at",
  columns: [
    { name: "device", type: "STRING", isSought: true },
    { name: "metric", type: "STRING", isSought: true },
    { name: "at", type: "TIMESTAMP", encoding: "DELTA_BINARY_PACKED", isSought: true },
    { name: "value", type: "DOUBLE" },
    { name: "revision", type: "INT32" },
    { name: "block_start", ...SPAN },
    { name: "block_end", ...SPAN },
  ],
  groupRows: [40_000, 122_880],
  footerBytes: 480,
  rowBytes: 64,
};

/** One hour of a device's metric a row: first what gives its Summary back, then what is computed from that for users. */
export const HOURLY: Layout = {
  name: "hourly/1",
  kind: "hourly",
  time: "start",
  columns: [
    { name: "device", type: "STRING", isSought: true },
    { name: "metric", type: "STRING", isSought: true },
    { name: "start", type: "TIMESTAMP", encoding: "DELTA_BINARY_PACKED", isSought: true },
    { name: "revision", type: "INT32" },
    { name: "count", type: "INT32" },
    { name: "min", type: "DOUBLE" },
    { name: "max", type: "DOUBLE" },
    { name: "sum", type: "DOUBLE" },
    { name: "sum_low", type: "DOUBLE" },
    { name: "squares", type: "DOUBLE" },
    { name: "squares_low", type: "DOUBLE" },
    { name: "first", type: "DOUBLE" },
    { name: "first_at", ...SPAN },
    { name: "last", type: "DOUBLE" },
    { name: "last_at", ...SPAN },
    { name: "sketch", type: "STRING", isNullable: true },
    { name: "zone", type: "STRING" },
    { name: "mean", type: "DOUBLE" },
    { name: "stddev", type: "DOUBLE" },
    { name: "p50", type: "DOUBLE", isNullable: true },
    { name: "p95", type: "DOUBLE", isNullable: true },
    { name: "p99", type: "DOUBLE", isNullable: true },
  ],
  groupRows: [1_000, 16_384],
  footerBytes: 1_400,
  rowBytes: 400,
};

export const layoutOf = (kind: Layout["kind"]) => (kind === "raw" ? RAW : HOURLY);

export type Column = string[] | (string | null)[] | (number | null)[] | Float64Array;

/** Rows as parallel columns by name, as they stand in the file; instants are epoch ms. */
export type Rows = Record<string, Column> & { device: string[]; metric: string[] };

/**
 * Rows of a row group, by what the file holds: a question fetches the footer and at least one row group, and with this
 * many rows the two are equally long, so that together they are shortest. Short groups compress badly, and what
 * merges the file holds one decoded.
 */
export function rowGroupRows(
  { groupRows: [min, max], footerBytes }: Layout,
  rows: number,
  bytes: number,
): number {
  return Math.min(max, Math.max(min, Math.round(rows * Math.sqrt(footerBytes / bytes))));
}

/**
 * Where the row group that begins at `start` ends, of rows sorted by device, metric, time: at the last change of device
 * or metric in its second half, so that what is asked together is seldom in two; else when it has `rows` rows.
 */
export function rowGroupEnd({ device, metric }: Rows, start: number, end: number, rows: number): number {
  if (end - start <= rows) return end;
  for (let row = start + rows; row > start + rows / 2; row--) {
    if (metric[row] !== metric[row - 1] || device[row] !== device[row - 1]) return row;
  }
  return start + rows;
}
