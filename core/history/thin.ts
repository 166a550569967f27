// Many points → a few of them that look the same on a chart.
import type { ThinMethod } from "../../schemas/query.ts";

/** Points to be drawn, as parallel columns; of a reading all three figures are its value. */
export interface Drawn {
  at: readonly number[];
  value: readonly number[];
  low: readonly number[];
  high: readonly number[];
}

/**
 * Returns the indexes of at most `maxPoints` points, ascending; of all points when there are no more. The last point
 * is kept, and the first when there is room: for two by `lttb`, for four by `minmax`, which from three on keeps every
 * point that alone is the least or the greatest of its bucket: a spike of one reading too.
 */
export function thin(drawn: Drawn, maxPoints: number, method: ThinMethod): number[] {
  const count = drawn.at.length;
  if (count <= maxPoints) return Array.from(drawn.at, (_, index) => index);
  if (maxPoints === 1) return [count - 1];
  return method === "lttb" ? largestTriangles(drawn, maxPoints) : extremes(drawn, maxPoints);
}

/**
 * Largest triangle three buckets: between the first and the last point, of each of equal buckets the point that spans the
 * largest triangle with the one chosen before and the mean of the next bucket. (Steinarsson, "Downsampling Time Series for
 * Visual Representation", 2013, §4.2.)
 */
function largestTriangles({ at, value }: Drawn, maxPoints: number): number[] {
  const last = at.length - 1;
  const chosen = [0];
  const startOf = (bucket: number) => 1 + Math.floor((bucket * (last - 1)) / (maxPoints - 2));
  let from = 0;
  for (let bucket = 0; bucket < maxPoints - 2; bucket++) {
    const [start, end] = [startOf(bucket), startOf(bucket + 1)];
    const next = meanOf(at, value, end, end === last ? last + 1 : startOf(bucket + 2));
    let best = start;
    let largest = -1;
    for (let i = start; i < end; i++) {
      const area = Math.abs(
        (at[from]! - next.at) * (value[i]! - value[from]!) -
          (at[from]! - at[i]!) * (next.value - value[from]!),
      );
      if (area > largest) [largest, best] = [area, i];
    }
    chosen.push(best);
    from = best;
  }
  chosen.push(last);
  return chosen;
}

function meanOf(at: readonly number[], value: readonly number[], start: number, end: number) {
  const mean = { at: 0, value: 0 };
  for (let i = start; i < end; i++) {
    mean.at += (at[i]! - at[start]!) / (end - start);
    mean.value += value[i]! / (end - start);
  }
  mean.at += at[start]!;
  return mean;
}

/** The first point, of each of equal buckets those with the least and the greatest figure, and the last point. */
function extremes({ low, high }: Drawn, maxPoints: number): number[] {
  const last = low.length - 1;
  const buckets = Math.max(1, Math.floor((maxPoints - 2) / 2));
  const chosen = new Set<number>(maxPoints < 4 ? [] : [0]);
  for (let bucket = 0; bucket < buckets; bucket++) {
    const start = Math.floor((bucket * last) / buckets);
    const end = Math.floor(((bucket + 1) * last) / buckets);
    let [least, greatest] = [start, start];
    for (let i = start; i < end; i++) {
      if (low[i]! < low[least]!) least = i;
      if (high[i]! > high[greatest]!) greatest = i;
    }
    chosen.add(Math.min(least, greatest)).add(Math.max(least, greatest));
  }
  // Room for two: of the least and the greatest the later, and the last.
  return [...chosen.add(last)].slice(-maxPoints);
}
