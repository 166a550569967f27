// A block that is too large → where to cut it in two, and the readings of either part.
import type { Column } from "./block.ts";

/**
 * The most bytes of an encoded block: it fits one queue message (128 KB) and, with the rollup's row, one 64 KB
 * operation.
 */
export const BLOCK_BYTES_MAX = 32 * 1024;
/**
 * The most readings of a block, however small its bytes: steady values take almost none, and the format ends at a
 * million.
 */
export const BLOCK_READINGS_MAX = 250_000;

/**
 * Whether a block has to be cut. `bytes` is called only when the readings are few enough, for encoding costs time.
 */
export const isTooLarge = (readingCount: number, bytes: () => Uint8Array): boolean =>
  readingCount > BLOCK_READINGS_MAX || bytes().length > BLOCK_BYTES_MAX;

/**
 * Returns the median instant of the readings, where a block is halved; undefined when they are all of one instant.
 */
export function cutInstant(columns: Iterable<Pick<Column, "at">>): number | undefined {
  const instants = [...new Set([...columns].flatMap(({ at }) => at))].sort((a, b) => a - b);
  return instants.length < 2 ? undefined : instants[instants.length >>> 1];
}

/** Returns copies of the columns with the readings of `[fromMs, toMs)`; columns without any are left out. */
export function columnsBetween(columns: Iterable<Column>, fromMs: number, toMs: number): Column[] {
  const kept: Column[] = [];
  for (const { metric, at, value } of columns) {
    const [start, end] = [lowerBound(at, fromMs), lowerBound(at, toMs)];
    if (start < end) kept.push({ metric, at: at.slice(start, end), value: value.slice(start, end) });
  }
  return kept;
}

/** Returns the first index whose element is not below `at`; the length when there is none. `instants` ascends. */
export function lowerBound(instants: readonly number[], at: number): number {
  let low = 0;
  let high = instants.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (instants[middle]! < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
