// A reading → its place in a column, and the verdict.

import type { Column } from "../block/block.ts";
import { lowerBound } from "../block/cut.ts";
import { placeOf } from "../verdicts.ts";

const DUPLICATE = placeOf("duplicate");
const CORRECTED = placeOf("corrected");

/**
 * Puts a reading into its column and returns the place of its verdict; `fresh` is the verdict of a reading that was
 * not known. A reading is its (metric, at): the same value again is a duplicate, another value a correction, which
 * replaces the earlier one.
 */
export function putReading(column: Column, at: number, value: number, fresh: number): number {
  const { at: instants, value: values } = column;
  const last = instants.length - 1;
  if (last < 0 || at > instants[last]!) {
    instants.push(at);
    values.push(value);
    return fresh;
  }
  const place = lowerBound(instants, at);
  if (instants[place] === at) {
    if (Object.is(values[place], value)) return DUPLICATE;
    values[place] = value;
    return CORRECTED;
  }
  instants.splice(place, 0, at);
  values.splice(place, 0, value);
  return fresh;
}
