// Readings of one metric → what is kept of them in a window; summaries merge, in any grouping, to the same figures.
import { addTo, type Pair, product } from "./double-double.ts";
import { mergeSketches, readingAt, type Sketch, sketchOf } from "./sketch.ts";

/**
 * What is kept of a metric's readings in a window. `sum` and `squares` are pairs so that merging is associative to
 * the last digit; instants are epoch ms.
 */
export interface Summary {
  count: number;
  min: number;
  max: number;
  sum: Pair;
  squares: Pair;
  /** The value of the earliest reading by the device's clock; `firstAt` is its `at`. */
  first: number;
  firstAt: number;
  /** The value of the latest reading by the device's clock; `lastAt` is its `at`. */
  last: number;
  lastAt: number;
  /** Absent in summaries stored before there were sketches, and in what was merged with one of these. */
  sketch?: Sketch;
  /** How many more readings came beyond the device's rate and were only counted; absent: none. */
  thinned?: number;
}

/** Returns the summary of the readings at indexes `[start, end)` of a column, at least one. */
export function summarise(
  at: readonly number[],
  value: readonly number[],
  start = 0,
  end = at.length,
): Summary {
  let min = value[start]!;
  let max = min;
  let sum: Pair = { high: 0, low: 0 };
  let squares: Pair = { high: 0, low: 0 };
  for (let i = start; i < end; i++) {
    const reading = value[i]!;
    if (reading < min) min = reading;
    if (reading > max) max = reading;
    sum = addTo(sum, reading);
    const squared = product(reading, reading);
    squares = addTo(squares, squared.high, squared.low);
  }
  return {
    count: end - start,
    // JSON, in which summaries are kept, writes −0 as 0: adding 0 makes it one.
    min: min + 0,
    max: max + 0,
    sum,
    squares,
    first: value[start]! + 0,
    firstAt: at[start]!,
    last: value[end - 1]! + 0,
    lastAt: at[end - 1]!,
    sketch: sketchOf(value, start, end),
  };
}

/**
 * Returns the summary of both windows' readings; associative and commutative as long as the readings are disjoint.
 */
export function merge(a: Summary, b: Summary): Summary {
  const [earlier, later] = a.firstAt <= b.firstAt ? [a, b] : [b, a];
  const [, latest] = a.lastAt <= b.lastAt ? [a, b] : [b, a];
  return {
    count: a.count + b.count,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    sum: addTo(earlier.sum, later.sum.high, later.sum.low),
    squares: addTo(earlier.squares, later.squares.high, later.squares.low),
    first: earlier.first,
    firstAt: earlier.firstAt,
    last: latest.last,
    lastAt: latest.lastAt,
    ...(a.sketch && b.sketch ? { sketch: mergeSketches(a.sketch, b.sketch) } : {}),
    ...(a.thinned || b.thinned ? { thinned: (a.thinned ?? 0) + (b.thinned ?? 0) } : {}),
  };
}

/** Returns the mean, never outside [min, max]: three times 0.1 has the mean 0.1. */
export const meanOf = ({ count, sum, min, max }: Summary) => Math.min(max, Math.max(min, sum.high / count));

/**
 * Returns the population standard deviation, as √(n Σx² − (Σx)²) / n: the difference is taken in pairs, so a high
 * mean costs no digits. It is never over half the range (Popoviciu), which also bounds what is left when squares
 * beyond float64 were cut off.
 */
export function stddevOf({ count, min, max, sum, squares }: Summary): number {
  const scaled = product(count, squares.high);
  const squared = product(sum.high, sum.high);
  const difference = addTo(
    { high: scaled.high, low: scaled.low + count * squares.low },
    -squared.high,
    -(squared.low + 2 * sum.high * sum.low),
  );
  return Math.min(Math.sqrt(Math.max(0, difference.high)) / count, max / 2 - min / 2);
}

/**
 * Returns the reading of rank ⌊q (count − 1)⌋, counted from the least, within 1 % of it and never outside [min, max];
 * `q` is in [0, 1]. Undefined when the summary has no sketch.
 */
export function quantileOf({ count, min, max, sketch }: Summary, q: number): number | undefined {
  if (sketch === undefined) return undefined;
  return Math.min(max, Math.max(min, readingAt(sketch, Math.floor(q * (count - 1)))));
}
