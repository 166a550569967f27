// A value against where it has been since it last moved (SPEC A6).
import type { Condition } from "../../../schemas/alert.ts";
import { atLeastMs, type Sample, type Verdict } from "./verdict.ts";

/** PERSISTED: the reading since which nothing was further from it than the tolerance. */
export interface FlatMemory {
  type: "flat_line";
  anchor: Sample;
}

type FlatCondition = Extract<Condition, { type: "flat_line" }>;

/** It clears when the value moves; until it has been still long enough, it is neither. */
export function flatLine(
  { tolerance, afterMs }: FlatCondition,
  memory: FlatMemory | undefined,
  sample: Sample,
): { verdict: Verdict; memory: FlatMemory } {
  if (memory === undefined) return { verdict: "unknown", memory: { type: "flat_line", anchor: sample } };
  const { anchor } = memory;
  if (Math.abs(sample.value - anchor.value) > tolerance)
    return { verdict: "clear", memory: { type: "flat_line", anchor: sample } };
  return { verdict: atLeastMs(anchor, sample) >= afterMs ? "breach" : "unknown", memory };
}
