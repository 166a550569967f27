// Summaries of a device's block ↔ the JSON text of one rollup row.
import type { Block } from "../block/block.ts";
import { windowsOfReadings } from "./aggregate.ts";
import { alignDown, HOUR_MS } from "./align.ts";
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
  sketch?: string,
];

/** PERSISTED: the array alone when the readings lie in one clock hour, else one array an hour, ascending. */
type PackedHours = PackedSummary | PackedSummary[];

/** The summary of the readings a block has of one metric in one UTC clock hour; `startMs` is the hour's start. */
export interface HourSummary {
  startMs: number;
  summary: Summary;
}

/** By metric, each ascending and never empty. */
export type Rollup = Map<string, HourSummary[]>;

/** The rollup of a block: a pure function of it, so sending it again changes nothing. */
export function rollupOf(block: Block): Rollup {
  const rollup: Rollup = new Map();
  for (const { metric, at, value } of block.columns) {
    const hours = windowsOfReadings(at, value, HOUR_MS);
    if (hours.length === 0) continue;
    rollup.set(
      metric,
      hours.map(({ startMs, summary }) => ({ startMs, summary })),
    );
  }
  return rollup;
}

export function packSummaries(rollup: Rollup): string {
  const packed: Record<string, PackedHours> = Object.create(null);
  for (const [metric, hours] of rollup) {
    const arrays = hours.map(({ summary }) => packOne(summary));
    packed[metric] = arrays.length === 1 ? arrays[0]! : arrays;
  }
  return JSON.stringify(packed);
}

/** The hours of one metric as they stand in a packed rollup. */
export const unpackSummary = (text: string): HourSummary[] => unpackHours(JSON.parse(text) as PackedHours);

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
  const { count, min, max, sum, squares, first, firstAt, last, lastAt, sketch } = summary;
  const { high, low } = squares;
  const packed: PackedSummary = [count, min, max, sum.high, sum.low, high, low, first, firstAt, last, lastAt];
  if (sketch !== undefined) packed.push(packSketch(sketch));
  return packed;
}

function unpackOne(packed: PackedSummary): Summary {
  const [count, min, max, sum, sumLow, squares, squaresLow, first, firstAt, last, lastAt, sketch] = packed;
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
    ...(sketch === undefined ? {} : { sketch: unpackSketch(sketch) }),
  };
}
