// Summaries of clock hours ↔ the rows of an hourly Parquet file.
import { packSketch, unpackSketch } from "../window/pack-sketch.ts";
import type { HourSummary } from "../window/pack-summary.ts";
import { meanOf, quantileOf, type Summary, stddevOf } from "../window/summary.ts";
import { type Column, HOURLY, type Rows } from "./layout.ts";

/** An hour of one metric of a device, and the zone the device was in. */
export interface DeviceHour extends HourSummary {
  device: string;
  metric: string;
  zone: string;
}

type Cell = string | number | null;

const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 };

/** One column of the layout HOURLY: what it says of an hour. `revision` is the export's and the same in every row. */
const CELLS: Record<string, (hour: DeviceHour) => Cell> = {
  device: ({ device }) => device,
  metric: ({ metric }) => metric,
  zone: ({ zone }) => zone,
  start: ({ startMs }) => startMs,
  count: ({ summary }) => summary.count,
  min: ({ summary }) => summary.min,
  max: ({ summary }) => summary.max,
  sum: ({ summary }) => summary.sum.high,
  sum_low: ({ summary }) => summary.sum.low,
  squares: ({ summary }) => summary.squares.high,
  squares_low: ({ summary }) => summary.squares.low,
  first: ({ summary }) => summary.first,
  first_at: ({ summary }) => summary.firstAt,
  last: ({ summary }) => summary.last,
  last_at: ({ summary }) => summary.lastAt,
  sketch: ({ summary }) => (summary.sketch === undefined ? null : packSketch(summary.sketch)),
  thinned: ({ summary }) => summary.thinned ?? null,
  mean: ({ summary }) => meanOf(summary),
  stddev: ({ summary }) => stddevOf(summary),
  p50: ({ summary }) => quantileOf(summary, QUANTILES.p50) ?? null,
  p95: ({ summary }) => quantileOf(summary, QUANTILES.p95) ?? null,
  p99: ({ summary }) => quantileOf(summary, QUANTILES.p99) ?? null,
};

/** Returns the columns of a file, or of a part of one, from hours sorted by device, metric and start. */
export function hourlyRows(hours: readonly DeviceHour[], revision: number): Rows {
  const columns = HOURLY.columns.map(({ name, type, isNullable }): [string, Column] => {
    if (name === "revision") return [name, new Float64Array(hours.length).fill(revision)];
    const cells = hours.map(CELLS[name]!);
    return [
      name,
      type === "STRING" || isNullable ? (cells as string[]) : Float64Array.from(cells as number[]),
    ];
  });
  return Object.fromEntries(columns) as Rows;
}

/** The names of the columns that `summaryAt` reads a summary from. */
export const SUMMARY_COLUMNS = HOURLY.columns
  .map(({ name }) => name)
  .slice(0, HOURLY.columns.findIndex(({ name }) => name === "thinned") + 1);

/** Returns the summary of a row, to the last bit the one that was written. */
export function summaryAt(rows: Rows, row: number): Summary {
  const number = (name: string) => rows[name]![row] as number;
  const thinned = rows.thinned?.[row] as number | null | undefined; // files of `hourly/1` do not say it
  const sketch = rows.sketch![row] as string | null | undefined;
  return {
    count: number("count"),
    min: number("min"),
    max: number("max"),
    sum: { high: number("sum"), low: number("sum_low") },
    squares: { high: number("squares"), low: number("squares_low") },
    first: number("first"),
    firstAt: number("first_at"),
    last: number("last"),
    lastAt: number("last_at"),
    ...(typeof sketch === "string" ? { sketch: unpackSketch(sketch) } : {}),
    ...(typeof thinned === "number" ? { thinned } : {}),
  };
}
