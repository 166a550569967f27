import { describe, expect, it } from "vitest";
import { checkRule } from "./check-rule.ts";
import { ABOVE_10, bodyOf, type RuleInput } from "./fake-alerts.ts";

const threshold = (level: Record<string, number>) => ({ type: "threshold", metric: "m", ...level });
const sides = (left: string, operator: string, right: string, level: Record<string, number>) => ({
  type: "expression",
  left,
  operator,
  right,
  ...level,
});
const rate = (by: number) => ({ type: "rate_of_change", metric: "m", by, overMs: 60_000 });
const flat = (tolerance: number) => ({ type: "flat_line", metric: "m", tolerance, afterMs: 60_000 });
const silence = { type: "no_data", afterMs: 60_000 };
const anomaly = { type: "anomaly", metric: "m", detector: "zscore" };
const MAX = Number.MAX_VALUE;

/** The rule as the schema takes it; what JSON cannot say (an infinity) is put in afterwards. */
const check = ({ condition, ...rest }: RuleInput) => {
  const body = bodyOf({ condition: ABOVE_10, ...rest });
  return checkRule({ ...body, condition: condition as typeof body.condition });
};

describe("a rule", () => {
  it.each<[RuleInput]>([
    [{ condition: threshold({ above: 0 }) }],
    [{ condition: threshold({ above: 10, clear: 10 }), forMs: 60_000, count: 3 }],
    [{ condition: threshold({ below: 10, clear: 10.5 }) }],
    [{ condition: sides("a", "-", "b", { above: 1 }) }],
    [{ condition: sides("a", "+", "a", { above: 1 }) }],
    [{ condition: sides("a", "*", "a", { above: 0, clear: 0 }) }],
    [{ condition: sides("a", "*", "a", { below: 0.1 }) }],
    [{ condition: rate(1e-9), forMs: 60_000, count: 2 }],
    [{ condition: flat(0), forMs: 60_000 }],
    [{ condition: silence }],
    [{ condition: anomaly, count: 2 }],
    [{ condition: { ...anomaly, detector: "seasonal" } }],
    [
      {
        condition: ABOVE_10,
        escalation: [
          { afterMs: 10_000, channels: null },
          { afterMs: 10_001, channels: null },
        ],
      },
    ],
  ])("[A1] that can fire and clear is taken: %j", (rule) => {
    expect(check(rule)).toBeUndefined();
  });

  it.each<[RuleInput, RegExp]>([
    [{ condition: threshold({}) }, /never fire; give one/],
    [{ condition: threshold({ clear: 3 }) }, /never fire; give one/],
    [{ condition: threshold({ above: 10, below: 3 }) }, /both "above" \(10\) and "below" \(3\).*two rules/],
    [{ condition: threshold({ above: 10, clear: 11 }) }, /"clear" \(11\).*"above" \(10\).*at most 10/],
    [{ condition: threshold({ below: 10, clear: 9 }) }, /"clear" \(9\).*"below" \(10\).*at least 10/],
    [{ condition: threshold({ above: MAX }) }, /"above" is 1\.797.*give a number/],
    [{ condition: threshold({ above: -MAX }) }, /"above" is -1\.797/],
    [{ condition: threshold({ below: -MAX }) }, /"below" is -1\.797/],
    [{ condition: threshold({ below: Number.NEGATIVE_INFINITY }) }, /"below" is -Infinity/],
    [{ condition: threshold({ above: Number.NaN }) }, /"above" is NaN/],
    [{ condition: threshold({ above: 1, clear: -MAX }) }, /"clear" is -1\.797/],
    [{ condition: sides("a", "-", "a", { above: 1 }) }, /"a - a" is always 0.*two metrics/],
    [{ condition: sides("a", "/", "a", { below: 1 }) }, /"a \/ a" is always 1/],
    [{ condition: sides("a", "*", "a", { above: -1 }) }, /"above" -1 always fires; give 0/],
    [{ condition: sides("a", "*", "a", { above: 1, clear: -1 }) }, /"clear" -1 it never clears/],
    [{ condition: sides("a", "*", "a", { below: 0 }) }, /"below" 0 can never fire/],
    [{ condition: sides("a", "+", "b", {}) }, /never fire; give one/],
    [{ condition: rate(0) }, /"by" is 0.*more than 0/],
    [{ condition: rate(-1) }, /"by" is -1.*"direction"/],
    [{ condition: rate(Number.POSITIVE_INFINITY) }, /"by" is Infinity.*never fire/],
    [{ condition: flat(-0.1) }, /"tolerance" is -0.1.*never fire; give 0/],
    [{ condition: flat(MAX) }, /"tolerance" is 1\.797.*never clear/],
    [{ condition: silence, forMs: 1 }, /"forMs" is 1.*"afterMs"/],
    [{ condition: silence, count: 2 }, /"count" is 2.*"afterMs"/],
    [{ condition: flat(0), count: 2 }, /"count" is 2.*"afterMs"/],
    [
      { condition: { ...anomaly, detector: "seasonal" }, count: 2 },
      /"count" is 2.*seasonal is silent for \d+ ms/,
    ],
    [{ condition: { ...anomaly, detector: "seasonal" }, forMs: 1 }, /"forMs" 1.*can never fire/],
    [
      {
        condition: ABOVE_10,
        escalation: [
          { afterMs: 20_000, channels: null },
          { afterMs: 20_000, channels: null },
        ],
      },
      /step 2 .*20000 ms.*rising/,
    ],
  ])("[A1] that cannot is refused with the reason: %j", (rule, reason) => {
    expect(check(rule)).toMatch(reason);
  });
});
