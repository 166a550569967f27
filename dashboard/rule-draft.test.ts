import { describe, expect, it } from "vitest";
import { type Condition, type Rule, rule, ruleBody } from "../schemas/alert.ts";
import { DraftError, draftOf, EMPTY_DRAFT, type RuleDraft, ruleOf, spanOf } from "./rule-draft.ts";

const ruleWith = (condition: Condition, more: object = {}): Rule =>
  rule.parse({
    id: "r",
    version: 3,
    createdAt: 1,
    updatedAt: 2,
    updatedBy: "anna",
    name: "A rule",
    scope: { zone: "hall-2" },
    condition,
    severity: "critical",
    cooldownMs: 1_000,
    groupWithinMs: 2_000,
    channels: ["night"],
    escalation: [{ afterMs: 60_000, channels: null }],
    ...more,
  });

describe("a rule, shown in the form and saved unchanged, is the same rule", () => {
  it.each<[string, Condition, object?]>([
    ["threshold", { type: "threshold", metric: "t", above: 80, clear: 75 }, { forMs: 90_000, count: 3 }],
    ["threshold below", { type: "threshold", metric: "t", below: -0.5 }, { forMs: 1_500 }],
    ["no data", { type: "no_data", afterMs: 90_000 }],
    ["no data of a metric", { type: "no_data", metric: "t", afterMs: 3_600_000 }],
    ["rate", { type: "rate_of_change", metric: "t", by: 2.5, overMs: 600_000, direction: "down" }],
    ["flat line", { type: "flat_line", metric: "t", tolerance: 0.1, afterMs: 60_000 }],
    ["anomaly", { type: "anomaly", metric: "t", detector: "zscore", level: "warning" }],
    ["expression", { type: "expression", left: "a", operator: "/", right: "b", below: 3, withinMs: 30_000 }],
  ])("%s", (_, condition, more) => {
    const before = ruleWith(condition, more);
    const { id: _id, version: _version, createdAt: _at, updatedAt: _then, updatedBy: _by, ...body } = before;
    expect(ruleBody.parse(ruleOf(draftOf(before), before))).toEqual(body);
  });
});

describe("what is typed", () => {
  const draft = (over: Partial<RuleDraft>): RuleDraft => ({
    ...EMPTY_DRAFT,
    metric: "t",
    level: "80",
    ...over,
  });

  it("is a new rule with the server's defaults for what the form does not ask", () => {
    expect(ruleOf(draft({ lasting: "1 min", zone: " hall-2 " }), null)).toEqual({
      name: "t threshold",
      severity: "warning",
      enabled: true,
      scope: { zone: "hall-2" },
      condition: { type: "threshold", metric: "t", above: 80 },
      forMs: 60_000,
      count: 1,
    });
  });

  it("keeps a duration out of a condition that has none", () => {
    const typed = ruleOf(draft({ type: "no_data", lasting: "1 min", count: "3" }), null);
    expect(typed).toMatchObject({ forMs: 0, count: 1 });
  });

  it.each<[Partial<RuleDraft>, string]>([
    [{ metric: " " }, "Which metric?"],
    [{ level: "" }, "Above: “” is no number"],
    [{ level: "8o" }, "“8o” is no number"],
    [{ clear: "x" }, "Clears at: “x” is no number"],
    [{ lasting: "5" }, "It has to last: “5” is no span"],
    [{ type: "no_data", after: "5 weeks" }, "For: “5 weeks” is no span"],
    [{ type: "expression", right: "" }, "Which second metric?"],
  ])("%j is refused: %s", (over, message) => {
    expect(() => ruleOf(draft(over), null)).toThrow(DraftError);
    expect(() => ruleOf(draft(over), null)).toThrow(message);
  });
});

it.each([
  ["90 s", 90_000],
  ["1 min 30 s", 90_000],
  ["1h30min", 5_400_000],
  ["2 m", 120_000],
  ["0.5 d", 43_200_000],
  ["250 ms", 250],
])("the span %s is %d ms", (text, ms) => {
  expect(spanOf("For", text)).toBe(ms);
});
