// Summaries of a device's block ↔ the JSON text of one rollup row.
import type { Block } from "../block/block.ts";
import { COUNTED, readingsOf } from "../block/marks.ts";
import { thinnedOf } from "../device/sampled.ts";
import { HOUR_MS } from "../time.ts";
import { addThinned, windowsOfReadings } from "./aggregate.ts";
import { alignDown } from "./align.ts";
import { packSketch, unpackSketch } from "./pack-sketch.ts";
import type { Summary } from "./summary.ts";

/** PERSISTED: one array a metric in D1's `rollup.summaries`. New fields go at the end; none is ever removed or moved. */
type PackedSummary = [
  count: number,
  min: number,
  max: number,
  sum: number,
  sumLow: number,
  squares: number,
  squaresLow: number,
  first: number,
  firstAt: number,
  last: number,
  lastAt: number,
  sketch?: string | null,
  thinned?: number,
];

/** The index at which a packed summary has the number of its readings: SQL picks it out of a row. */
export const COUNT_PLACE = 0;
/** The index at which a packed summary has its first reading's `at`: SQL picks it out of a row. */
export const FIRST_AT_PLACE = 8;
/** The index at which a packed summary has its last reading's value: SQL picks it out of a row. */
export const LAST_PLACE = 9;
/** The index at which a packed summary has its last reading's `at`. */
export const LAST_AT_PLACE = 10;

/** PERSISTED: the array alone when the readings lie in one clock hour, else one array an hour, ascending. */
type PackedHours = PackedSummary | PackedSummary[];

/** The summary of a block's readings of one metric in one UTC clock hour; `startMs` is the hour's start. */
export interface HourSummary {
  startMs: number;
  summary: Summary;
}

/** The hours of each metric of a block, ascending and never empty. */
export type Rollup = Map<string, HourSummary[]>;

/** Returns the rollup of a block: a pure function of it, so storing it again changes nothing. */
export function rollupOf(block: Block): Rollup {
  const rollup: Rollup = new Map();
  const counts = new Map(block.columns.map((column) => [column.metric, column]));
  for (const { metric, at, value } of readingsOf(block.columns)) {
    const counted = counts.get(COUNTED + metric);
    const thinned = counted === undefined ? [] : thinnedOf(at, counted);
    const hours = addThinned(windowsOfReadings(at, value, HOUR_MS), thinned);
    if (hours.length === 0) continue;
    rollup.set(
      metric,
      hours.map(({ startMs, summary }) => ({ startMs, summary })),
    );
  }
  return rollup;
}

/**
 * Gives rollups that were computed from a device's readings the counts of what was thinned, which its readings do not say,
 * from the rollups they replace: each hour's to the first that has the hour.
 */
export function carryThinned(replaced: readonly Rollup[], rollups: readonly Rollup[]): void {
  for (const [metric, hours] of replaced.flatMap((rollup) => [...rollup])) {
    for (const { startMs, summary } of hours) {
      if (summary.thinned === undefined) continue;
      const own = rollups
        .flatMap((rollup) => rollup.get(metric) ?? [])
        .find((hour) => hour.startMs === startMs);
      if (own !== undefined) own.summary.thinned = (own.summary.thinned ?? 0) + summary.thinned;
    }
  }
}

/** Returns a rollup as the JSON of its row. */
export function packSummaries(rollup: Rollup): string {
  const packed: Record<string, PackedHours> = Object.create(null);
  for (const [metric, hours] of rollup) {
    const arrays = hours.map(({ summary }) => packOne(summary));
    packed[metric] = arrays.length === 1 ? arrays[0]! : arrays;
  }
  return JSON.stringify(packed);
}

/** Returns the hours of one metric from the JSON they have in a packed rollup. */
export const unpackSummary = (text: string): HourSummary[] => unpackHours(JSON.parse(text) as PackedHours);

/** Returns the rollup that `packSummaries` made the JSON of. */
export function unpackSummaries(text: string): Rollup {
  const all = JSON.parse(text) as Record<string, PackedHours>;
  return new Map(Object.entries(all).map(([metric, packed]) => [metric, unpackHours(packed)]));
}

const isMany = (packed: PackedHours): packed is PackedSummary[] => Array.isArray(packed[0]);

function unpackHours(packed: PackedHours): HourSummary[] {
  return (isMany(packed) ? packed : [packed]).map((one) => {
    const summary = unpackOne(one);
    return { startMs: alignDown(summary.firstAt, HOUR_MS), summary };
  });
}

function packOne(summary: Summary): PackedSummary {
  const { count, min, max, sum, squares, first, firstAt, last, lastAt, sketch, thinned } = summary;
  const { high, low } = squares;
  const packed: PackedSummary = [count, min, max, sum.high, sum.low, high, low, first, firstAt, last, lastAt];
  if (sketch !== undefined) packed.push(packSketch(sketch));
  if (thinned !== undefined) packed.push(...(sketch === undefined ? [null, thinned] : [thinned]));
  return packed;
}

function unpackOne(packed: PackedSummary): Summary {
  const [count, min, max, sum, sumLow, squares, squaresLow, first, firstAt, last, lastAt, sketch, thinned] =
    packed;
  return {
    count,
    min,
    max,
    sum: { high: sum, low: sumLow },
    squares: { high: squares, low: squaresLow },
    first,
    firstAt,
    last,
    lastAt,
    ...(typeof sketch === "string" ? { sketch: unpackSketch(sketch) } : {}),
    ...(thinned === undefined ? {} : { thinned }),
  };
}
