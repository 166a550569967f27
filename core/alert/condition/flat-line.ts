// A value against where it has been since it last moved (SPEC A6).
import type { Condition } from "../../../schemas/alert.ts";
import { difference } from "./rounding.ts";
import { atLeastMs, type Sample, type Verdict } from "./verdict.ts";

/** PERSISTED: the reading from which no later one was further than the tolerance. */
export interface FlatMemory {
  type: "flat_line";
  anchor: Sample;
}

type FlatCondition = Extract<Condition, { type: "flat_line" }>;

/**
 * Returns what a flat line says of a reading, and the memory with that reading: `clear` when the value moved by more
 * than the tolerance, `breach` when it has not for `afterMs`, and `unknown` in between.
 */
export function flatLine(
  { tolerance, afterMs }: FlatCondition,
  memory: FlatMemory | undefined,
  sample: Sample,
): { verdict: Verdict; memory: FlatMemory } {
  if (memory === undefined) return { verdict: "unknown", memory: { type: "flat_line", anchor: sample } };
  const { anchor } = memory;
  if (Math.abs(difference(sample.value, anchor.value)) > tolerance)
    return { verdict: "clear", memory: { type: "flat_line", anchor: sample } };
  return { verdict: atLeastMs(anchor, sample) >= afterMs ? "breach" : "unknown", memory };
}
