// Two metrics of a device → one value against a level (SPEC A7).
import type { Condition } from "../../../schemas/alert.ts";
import { threshold } from "./threshold.ts";
import type { Sample, Verdict } from "./verdict.ts";

/** PERSISTED: the newest reading of each side. */
export interface ExpressionMemory {
  type: "expression";
  left: Sample | null;
  right: Sample | null;
}

type ExpressionCondition = Extract<Condition, { type: "expression" }>;

/** The value and its verdict; no value when a side is missing or too old for the other, or there is none (x / 0). */
export function expression(
  condition: ExpressionCondition,
  { left, right }: ExpressionMemory,
): { verdict: Verdict; value: number | undefined } {
  if (left === null || right === null || Math.abs(left.t - right.t) > condition.withinMs)
    return { verdict: "unknown", value: undefined };
  const value = combine(left.value, condition.operator, right.value) + 0; // JSON writes −0 as 0
  if (!Number.isFinite(value)) return { verdict: "unknown", value: undefined };
  return { verdict: threshold(condition, value), value };
}

function combine(left: number, operator: ExpressionCondition["operator"], right: number): number {
  switch (operator) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return left / right;
  }
}
