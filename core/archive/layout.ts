// The columns of the archive's files: one description for who writes, merges and reads them.

/** A column of a file, and how it is stored. */
export interface ArchiveColumn {
  name: string;
  type: "STRING" | "TIMESTAMP" | "DOUBLE" | "INT32";
  /** Instants that ascend or repeat; the rest is dictionary-coded where that is shorter. */
  encoding?: "DELTA_BINARY_PACKED";
  /** Row groups say its least and greatest value: a question skips those that cannot hold the answer. */
  isSought?: true;
  isNullable?: true;
}

/** The columns of one kind of file, and what its row groups cost. */
export interface Layout {
  /** PERSISTED: what the file says of itself. Other columns are another layout; whoever reads knows all there ever were. */
  name: "raw/2" | "hourly/2";
  kind: "raw" | "hourly";
  /** The column that says a row's instant. */
  time: "at" | "start";
  columns: readonly ArchiveColumn[];
  /** Rows of a row group at most: what merges files has one of each in memory. */
  groupRowsMax: number;
  /** What the footer says of a row group. */
  footerBytes: number;
  /** One row decoded in memory. */
  rowBytes: number;
}

const SPAN = { type: "TIMESTAMP", encoding: "DELTA_BINARY_PACKED" } as const;

/**
 * The layout of raw files: one reading a row. `block_start` and `block_end` are the span of the block it came with,
 * so that a replay makes the same blocks.
 */
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
  groupRowsMax: 122_880,
  footerBytes: 440,
  rowBytes: 64,
};

/**
 * The layout of hourly files: one hour of a device's metric a row, first the columns its Summary is read from, then
 * figures computed from that for users.
 */
export const HOURLY: Layout = {
  name: "hourly/2",
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
    { name: "thinned", type: "INT32", isNullable: true },
    { name: "zone", type: "STRING" },
    { name: "mean", type: "DOUBLE" },
    { name: "stddev", type: "DOUBLE" },
    { name: "p50", type: "DOUBLE", isNullable: true },
    { name: "p95", type: "DOUBLE", isNullable: true },
    { name: "p99", type: "DOUBLE", isNullable: true },
  ],
  groupRowsMax: 16_384,
  footerBytes: 1_000,
  rowBytes: 400,
};

/** Returns the layout that files of a kind are written in. */
export const layoutOf = (kind: Layout["kind"]) => (kind === "raw" ? RAW : HOURLY);

/** The values of one column; null where a row has none. */
export type Column = string[] | (string | null)[] | (number | null)[] | Float64Array;

/** Rows as parallel columns by name, as they stand in the file; instants are epoch ms. */
export type Rows = Record<string, Column> & { device: string[]; metric: string[] };

/** A row group is not shorter: it would compress badly, and fetching it would take no less time. */
const GROUP_BYTES_MIN = 64 * 1024;

/**
 * Rows of a row group, of a file that holds `rows` in `bytes`. A question fetches the footer, which is long when groups
 * are short, and at least one group: where the two are equal, they are shortest together.
 */
export function rowGroupRows({ groupRowsMax, footerBytes }: Layout, rows: number, bytes: number): number {
  const groupBytes = Math.max(GROUP_BYTES_MIN, Math.sqrt(bytes * footerBytes));
  return Math.min(groupRowsMax, Math.ceil((groupBytes * rows) / bytes));
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
