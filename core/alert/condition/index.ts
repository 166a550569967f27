// A rule's condition and its readings → a verdict, and the value to show for it.
import type { Condition } from "../../../schemas/alert.ts";
import { type AnomalyMemory, anomaly, type OpenDetectors } from "./anomaly.ts";
import { type ExpressionMemory, expression } from "./expression.ts";
import { type FlatMemory, flatLine } from "./flat-line.ts";
import { type RateMemory, rateOfChange } from "./rate-of-change.ts";
import { threshold } from "./threshold.ts";
import type { Sample, Verdict } from "./verdict.ts";

/**
 * The conditions that readings decide; a no-data condition is judged by the receipt clock alone (no-data.ts), and a hot
 * one by how many reports come (hot.ts).
 */
export type ReadingCondition = Exclude<Condition, { type: "no_data" | "hot" }>;

/** PERSISTED: what a condition remembers of readings; that of another type than the condition's counts as none. */
export type ConditionMemory = RateMemory | FlatMemory | ExpressionMemory | AnomalyMemory;

/** What a condition says of the newest readings, and what it remembers from then on. */
export interface Judgement {
  verdict: Verdict;
  /** The value that was judged, of an expression its result; undefined when it has none. */
  value: number | undefined;
  memory: ConditionMemory | null;
}

/**
 * Returns the metrics a condition reads, in the order of the samples that `judge` takes; empty for a condition about
 * the whole device: a hot one, or no data.
 */
export function metricsOf(condition: Condition): string[] {
  if (condition.type === "expression") return [condition.left, condition.right];
  if (condition.type === "hot") return [];
  return condition.metric === undefined ? [] : [condition.metric];
}

/**
 * Returns what a condition says of the newest readings: one sample for each of `metricsOf`, undefined where none is
 * new; at least one is. `memory` is null when the condition remembers nothing yet; a detector's memory is changed in
 * place.
 */
export function judge(
  condition: ReadingCondition,
  memory: ConditionMemory | null,
  samples: readonly (Sample | undefined)[],
  open: OpenDetectors,
): Judgement {
  if (condition.type === "expression") {
    const known = memory?.type === "expression" ? memory : { left: null, right: null };
    const [left = known.left, right = known.right] = samples;
    const sides: ExpressionMemory = { type: "expression", left, right };
    return { ...expression(condition, sides), memory: sides };
  }
  const sample = samples[0]!;
  const { value } = sample;
  switch (condition.type) {
    case "threshold":
      return { verdict: threshold(condition, value), value, memory: null };
    case "rate_of_change": {
      const known = memory?.type === condition.type ? memory : undefined;
      return { ...rateOfChange(condition, known, sample), value };
    }
    case "flat_line": {
      const known = memory?.type === condition.type ? memory : undefined;
      return { ...flatLine(condition, known, sample), value };
    }
    case "anomaly": {
      const known: AnomalyMemory =
        memory?.type === condition.type ? memory : { type: "anomaly", packed: null, alarm: null };
      return { verdict: anomaly(condition, known, sample, open), value, memory: known };
    }
  }
}
