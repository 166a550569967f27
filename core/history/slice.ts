// A range too large to hold → slices that are not, as long as each turns out to be dense.
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../time.ts";

/** A half-open range of instants, epoch ms. */
export interface Span {
  startMs: number;
  endMs: number;
}

/**
 * How long a slice may be, in ms. Each length divides the next, so slices begin and end where a longer one does, and
 * a file of a day is opened once. The shortest holds at most 60,000 readings of a metric: a reading is its (metric,
 * at).
 */
const LENGTHS_MS = [
  MINUTE_MS,
  5 * MINUTE_MS,
  HOUR_MS,
  6 * HOUR_MS,
  DAY_MS,
  8 * DAY_MS,
  64 * DAY_MS,
  512 * DAY_MS,
  4_096 * DAY_MS,
  32_768 * DAY_MS,
];
/**
 * How many times longer than the last slice the next one is at most: where readings were few, there may be many
 * further on.
 */
const GROWTH_MAX = 64;

/**
 * Cuts `[startMs, endMs)` into slices, each about as long as `wanted` readings take at the pace of the slice before.
 * @example for (let span = slicer.next(); span; span = slicer.next()) slicer.took(span.endMs, read(span).length)
 */
export class Slicer {
  readonly #endMs: number;
  readonly #wanted: number;
  #startMs: number;
  #lengthMs: number;

  /**
   * The first slice is at most `firstMs` long, and holds the whole range when that is no longer. `wanted` is the
   * readings a slice should have.
   */
  constructor({ startMs, endMs, wanted, firstMs }: Span & { wanted: number; firstMs: number }) {
    this.#startMs = startMs;
    this.#endMs = endMs;
    this.#wanted = wanted;
    this.#lengthMs =
      endMs - startMs <= firstMs
        ? Number.POSITIVE_INFINITY
        : (longest((lengthMs) => lengthMs <= firstMs) ?? MINUTE_MS);
  }

  /**
   * Returns the slice to read; undefined at the end of the range. The same one until `took` or `tooLong` is called.
   */
  next(): Span | undefined {
    if (this.#startMs >= this.#endMs) return undefined;
    const boundaryMs = (Math.floor(this.#startMs / this.#lengthMs) + 1) * this.#lengthMs;
    return { startMs: this.#startMs, endMs: Math.min(boundaryMs, this.#endMs) };
  }

  /**
   * Notes that the slice was read up to `untilMs`, which may lie before its end or, over a gap, after it, and had
   * `count` readings.
   */
  took(untilMs: number, count: number): void {
    const tookMs = untilMs - this.#startMs;
    const mayGrowToMs = Math.min(tookMs, this.#lengthMs) * GROWTH_MAX;
    const fits = (lengthMs: number) => (count * lengthMs) / tookMs <= this.#wanted;
    this.#startMs = untilMs;
    this.#lengthMs = longest((lengthMs) => lengthMs <= mayGrowToMs && fits(lengthMs)) ?? MINUTE_MS;
  }

  /** Makes the slice shorter, because it holds too much to be read; returns false when it cannot be shorter. */
  tooLong(): boolean {
    const { startMs, endMs } = this.next()!;
    const shorter = longest((lengthMs) => lengthMs < endMs - startMs);
    this.#lengthMs = shorter ?? MINUTE_MS;
    return shorter !== undefined;
  }
}

const longest = (isRight: (lengthMs: number) => boolean) => LENGTHS_MS.findLast(isRight);
