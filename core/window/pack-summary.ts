// Summaries of a device's block ↔ the JSON text of one rollup row.
import type { Block } from "../block/block.ts";
import { type Summary, summarise } from "./summary.ts";

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
];

/** The rollup of a block: a summary of each of its metrics. A pure function of the block, so sending it again changes nothing. */
export function rollupOf(block: Block): Map<string, Summary> {
  return new Map(
    block.columns.filter((column) => column.at.length > 0).map((c) => [c.metric, summarise(c.at, c.value)]),
  );
}

export function packSummaries(summaries: ReadonlyMap<string, Summary>): string {
  const packed: Record<string, PackedSummary> = Object.create(null);
  for (const [metric, s] of summaries) {
    const { sum, squares } = s;
    packed[metric] = [
      s.count,
      s.min,
      s.max,
      sum.high,
      sum.low,
      squares.high,
      squares.low,
      s.first,
      s.firstAt,
      s.last,
      s.lastAt,
    ];
  }
  return JSON.stringify(packed);
}

/** The summary of one metric as it stands in a packed rollup. */
export const unpackSummary = (text: string): Summary => unpackOne(JSON.parse(text) as PackedSummary);

export function unpackSummaries(text: string): Map<string, Summary> {
  const all = JSON.parse(text) as Record<string, PackedSummary>;
  return new Map(Object.entries(all).map(([metric, packed]) => [metric, unpackOne(packed)]));
}

function unpackOne(packed: PackedSummary): Summary {
  const [count, min, max, sum, sumLow, squares, squaresLow, first, firstAt, last, lastAt] = packed;
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
  };
}
