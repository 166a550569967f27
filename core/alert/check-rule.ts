// A rule → why it is refused, when it could never fire, would always fire, or would never clear (SPEC A1).
import type { Condition, RuleBody } from "../../schemas/alert.ts";
import { detectors } from "./anomaly/index.ts";
import type { Level } from "./condition/threshold.ts";

/**
 * Returns why a rule is refused, with the value, the limit and the remedy; undefined when the rule can both fire and
 * clear.
 */
export function checkRule(body: RuleBody): string | undefined {
  return checkCondition(body.condition) ?? checkDuration(body) ?? checkEscalation(body);
}

function checkCondition(condition: Condition): string | undefined {
  switch (condition.type) {
    case "threshold":
      return checkLevel(condition);
    case "rate_of_change":
      return checkRate(condition.by);
    case "flat_line":
      return checkTolerance(condition.tolerance);
    case "no_data":
    case "hot":
    case "anomaly":
      return undefined;
    case "expression":
      return checkLevel(condition) ?? checkSides(condition);
  }
}

/** Whether no reading can lie beyond the level: it is the largest number there is, or none. */
const isBeyondAll = (value: number) => !(Math.abs(value) < Number.MAX_VALUE);

function checkLevel({ above, below, clear }: Level): string | undefined {
  if (above === undefined && below === undefined)
    return `neither "above" nor "below" is given: the rule can never fire; give one of them`;
  if (above !== undefined && below !== undefined)
    return `both "above" (${above}) and "below" (${below}) are given; give one of them, and make two rules for a band`;
  for (const [name, value] of Object.entries({ above, below, clear })) {
    if (value !== undefined && isBeyondAll(value))
      return `"${name}" is ${value}, beyond which no reading can lie: the rule could never both fire and clear; give a number of less than 1.79e308`;
  }
  if (clear === undefined) return undefined;
  if (above !== undefined && clear > above)
    return `"clear" (${clear}) is greater than "above" (${above}): the rule would clear while it is breached; give a clear level of at most ${above}`;
  if (below !== undefined && clear < below)
    return `"clear" (${clear}) is less than "below" (${below}): the rule would clear while it is breached; give a clear level of at least ${below}`;
  return undefined;
}

function checkRate(by: number): string | undefined {
  if (isBeyondAll(by))
    return `"by" is ${by}, more than readings can differ: the rule can never fire; give less`;
  return by > 0
    ? undefined
    : `"by" is ${by}: readings that do not change would fire the rule, or it would never clear; give more than 0, and say which way with "direction"`;
}

function checkTolerance(tolerance: number): string | undefined {
  if (isBeyondAll(tolerance))
    return `"tolerance" is ${tolerance}: every reading is within it, so the rule would always fire and never clear; give less`;
  return tolerance >= 0
    ? undefined
    : `"tolerance" is ${tolerance}: no reading is that close, so the rule can never fire; give 0 or more`;
}

/**
 * Why an expression of one metric with itself is refused, the values of which are known before any reading; undefined
 * when it is not.
 */
function checkSides(condition: Extract<Condition, { type: "expression" }>): string | undefined {
  const { left, operator, right, above, below, clear } = condition;
  if (left !== right) return undefined;
  if (operator === "-" || operator === "/")
    return `"${left} ${operator} ${right}" is always ${operator === "-" ? 0 : 1}: the rule would never fire, or always; name two metrics`;
  if (operator === "+") return undefined;
  const square = `"${left} * ${right}" is never less than 0`;
  if (above !== undefined && above < 0) return `${square}, so "above" ${above} always fires; give 0 or more`;
  if (clear !== undefined && clear < 0)
    return `${square}, so at "clear" ${clear} it never clears; give 0 or more`;
  if (below !== undefined && below <= 0)
    return `${square}, so "below" ${below} can never fire; give more than 0`;
  return undefined;
}

function checkDuration({ condition, forMs, count }: RuleBody): string | undefined {
  const { type } = condition;
  if (type === "no_data" && forMs > 0)
    return `"forMs" is ${forMs}, but a no_data rule has no reading to last: it can never fire; give 0 and say how long with "afterMs"`;
  if ((type === "no_data" || type === "flat_line") && count > 1)
    return `"count" is ${count}, but a ${type} rule counts no readings; give 1 and say how long with "afterMs"`;
  if (type === "hot" && count > 1)
    return `"count" is ${count}, but a hot rule counts no readings; give 1 and say how long with "forMs"`;
  if (type !== "anomaly" || (forMs === 0 && count === 1)) return undefined;
  const refractoryMs = detectors[condition.detector].refractoryMs;
  return refractoryMs > 0
    ? `"count" is ${count} and "forMs" ${forMs}, but after an anomaly the detector ${condition.detector} is silent for ${refractoryMs} ms: the rule can never fire; give count 1 and forMs 0`
    : undefined;
}

function checkEscalation({ escalation }: RuleBody): string | undefined {
  for (const [i, { afterMs }] of escalation.entries()) {
    const before = escalation[i - 1];
    if (before !== undefined && afterMs <= before.afterMs)
      return `step ${i + 1} of "escalation" is after ${afterMs} ms, not later than the step before it (${before.afterMs} ms); list the steps by rising "afterMs"`;
  }
  return undefined;
}
