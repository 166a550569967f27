// Readings beyond a device's rate → of each minute the least and the greatest, and a count of the others.

import type { ThinnedCount } from "../../schemas/message.ts";
import type { Column } from "../block/block.ts";
import { lowerBound } from "../block/cut.ts";
import { placeOf } from "../verdicts.ts";
import { alignDown } from "../window/align.ts";
import { putReading } from "./put-reading.ts";

const DUPLICATE = placeOf("duplicate");
const CORRECTED = placeOf("corrected");
const WINDOW_MS = 60_000;

/** Bits of what a reading is kept for. */
const LEAST = 1;
const GREATEST = 2;

/** Instants, ascending, and a number for each. */
type Marks = Pick<Column, "at" | "value">;

interface Range {
  min: number;
  max: number;
}

/**
 * What is thinned of one metric in one open block. A minute has one count, whose instant is the newest `at` that came
 * beyond the rate: what is not newer may have been counted before, and is not counted again. So the readings kept and
 * those counted are never more than were sent, however often; they are as many when what is beyond the rate comes in the
 * order of its instants, minute by minute.
 */
export class Sampled {
  /** The readings that are kept, which the block has. */
  readonly column: Column;
  readonly counts: Marks;
  /** Readings that are kept as long as none is less or greater: at most two a minute. Once sealed they stay. */
  readonly extremes: Marks;
  readonly #ranges = new Map<number, Range>();

  constructor(column: Column, counts: Marks = noMarks(), extremes: Marks = noMarks()) {
    this.column = column;
    this.counts = counts;
    this.extremes = extremes;
  }

  /**
   * Takes a reading beyond the rate: keeps it when its minute has none as small or none as great, else counts it.
   * Returns the place of its verdict; of one that is neither kept nor counted, for it may have been before, that is a duplicate.
   */
  takeExcess(at: number, value: number, fresh: number): number {
    const windowMs = alignDown(at, WINDOW_MS);
    if (this.column.at[lowerBound(this.column.at, at)] === at) {
      const verdict = putReading(this.column, at, value, fresh);
      if (verdict === CORRECTED) this.#ranges.delete(windowMs);
      return verdict;
    }
    const isNew = at > this.#throughOf(windowMs);
    const range = this.#rangeOf(windowMs);
    const kinds = (value < range.min ? LEAST : 0) | (value > range.max ? GREATEST : 0);
    if (kinds === 0) {
      if (isNew) this.#count(windowMs, 1, at);
      return isNew ? fresh : DUPLICATE;
    }
    putReading(this.column, at, value, fresh);
    this.#count(windowMs, isNew ? 0 : -1, at);
    this.#release(windowMs, kinds, range);
    putReading(this.extremes as Column, at, kinds, 0);
    widen(range, value);
    return fresh;
  }

  /**
   * Notes that the block took a reading within the rate. Returns whether a mark changed: one that was counted is counted no
   * more, and one that was kept for its value is now kept for itself.
   */
  noteTaken(at: number, value: number, verdict: number): boolean {
    const windowMs = alignDown(at, WINDOW_MS);
    if (verdict === DUPLICATE || verdict === CORRECTED) {
      if (verdict === CORRECTED) this.#ranges.delete(windowMs);
      const place = lowerBound(this.extremes.at, at);
      if (this.extremes.at[place] !== at) return false;
      drop(this.extremes, place);
      return true;
    }
    const range = this.#ranges.get(windowMs);
    if (range !== undefined) widen(range, value);
    if (at > this.#throughOf(windowMs)) return false;
    this.#count(windowMs, -1, at);
    return true;
  }

  /** Returns how many were thinned, minute by minute, each at the first reading of its minute that the block has. */
  thinned(): ThinnedCount[] {
    return thinnedOf(this.column.at, this.counts);
  }

  /** Returns the part of it that lies in `[startMs, endMs)`, where `column` has the readings. */
  part(column: Column, startMs: number, endMs: number): Sampled {
    const counts = noMarks();
    for (const [index, at] of this.counts.at.entries()) {
      const windowMs = alignDown(at, WINDOW_MS);
      if (windowMs + WINDOW_MS <= startMs || windowMs >= endMs) continue;
      const first = this.column.at[lowerBound(this.column.at, windowMs)]!;
      const isHere = startMs <= first && first < endMs;
      if (at < startMs && !isHere) continue;
      counts.at.push(Math.min(Math.max(at, startMs), endMs - 1));
      counts.value.push(isHere ? this.counts.value[index]! : 0);
    }
    const [from, to] = [lowerBound(this.extremes.at, startMs), lowerBound(this.extremes.at, endMs)];
    const extremes = { at: this.extremes.at.slice(from, to), value: this.extremes.value.slice(from, to) };
    return new Sampled(column, counts, extremes);
  }

  #throughOf(windowMs: number): number {
    const at = this.counts.at[lowerBound(this.counts.at, windowMs)];
    return at !== undefined && at < windowMs + WINDOW_MS ? at : Number.NEGATIVE_INFINITY;
  }

  /** Adds to the count of a minute, which is never below 0, and notes that `at` came. */
  #count(windowMs: number, more: number, at: number): void {
    const { counts } = this;
    const place = lowerBound(counts.at, windowMs);
    if (counts.at[place] === undefined || counts.at[place]! >= windowMs + WINDOW_MS) {
      counts.at.splice(place, 0, at);
      counts.value.splice(place, 0, Math.max(0, more));
      return;
    }
    counts.at[place] = Math.max(counts.at[place]!, at);
    counts.value[place] = Math.max(0, counts.value[place]! + more);
  }

  /** Lets go of what was the least or the greatest of a minute and no longer is: it is counted instead. */
  #release(windowMs: number, kinds: number, { min, max }: Range): void {
    const { column, extremes } = this;
    let place = lowerBound(extremes.at, windowMs);
    while (extremes.at[place] !== undefined && extremes.at[place]! < windowMs + WINDOW_MS) {
      const at = extremes.at[place]!;
      const left = extremes.value[place]! & ~kinds;
      const index = lowerBound(column.at, at);
      const value = column.value[index]!;
      const isNeeded =
        left !== 0 || (value <= min && !(kinds & LEAST)) || (value >= max && !(kinds & GREATEST));
      if (isNeeded) {
        extremes.value[place] = left;
        if (left !== 0) {
          place += 1;
          continue;
        }
      } else {
        drop(column, index);
        this.#count(windowMs, 1, at);
      }
      drop(extremes, place);
    }
  }

  #rangeOf(windowMs: number): Range {
    const known = this.#ranges.get(windowMs);
    if (known !== undefined) return known;
    const { at, value } = this.column;
    const range = { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
    const end = lowerBound(at, windowMs + WINDOW_MS);
    for (let i = lowerBound(at, windowMs); i < end; i++) widen(range, value[i]!);
    this.#ranges.set(windowMs, range);
    return range;
  }
}

/** Returns the counts above 0, each at the first reading of its minute; `instants` are the readings that were kept. */
export function thinnedOf(instants: readonly number[], counts: Marks): ThinnedCount[] {
  const thinned: ThinnedCount[] = [];
  for (const [index, at] of counts.at.entries()) {
    const count = counts.value[index]!;
    const first = instants[lowerBound(instants, alignDown(at, WINDOW_MS))];
    if (count > 0 && first !== undefined) thinned.push({ at: first, count });
  }
  return thinned;
}

function noMarks(): Marks {
  return { at: [], value: [] };
}

function widen(range: Range, value: number): void {
  range.min = Math.min(range.min, value);
  range.max = Math.max(range.max, value);
}

function drop({ at, value }: Marks, place: number): void {
  at.splice(place, 1);
  value.splice(place, 1);
}
