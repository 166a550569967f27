// Two metrics of a device → one value against a level (SPEC A7).
import type { Condition } from "../../../schemas/alert.ts";
import { withoutRounding } from "./rounding.ts";
import { threshold } from "./threshold.ts";
import type { Sample, Verdict } from "./verdict.ts";

/** PERSISTED: the newest reading of each side; null when there was none. */
export interface ExpressionMemory {
  type: "expression";
  left: Sample | null;
  right: Sample | null;
}

type ExpressionCondition = Extract<Condition, { type: "expression" }>;

/**
 * Returns the value of an expression and its verdict; `unknown` and no value when a side has no reading, the two are
 * too far apart in time, or the result is not finite, as of x / 0.
 */
export function expression(
  condition: ExpressionCondition,
  { left, right }: ExpressionMemory,
): { verdict: Verdict; value: number | undefined } {
  if (left === null || right === null || Math.abs(left.t - right.t) > condition.withinMs)
    return { verdict: "unknown", value: undefined };
  const exact = combine(left.value, condition.operator, right.value);
  if (!Number.isFinite(exact)) return { verdict: "unknown", value: undefined };
  const isSum = condition.operator === "+" || condition.operator === "-";
  const operands = isSum ? Math.max(Math.abs(left.value), Math.abs(right.value)) : 0;
  const value = withoutRounding(exact, Math.max(Math.abs(exact), operands)) + 0; // JSON writes −0 as 0
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
