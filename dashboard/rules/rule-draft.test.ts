import { describe, expect, it } from "vitest";
import { ruleBody } from "../../schemas/alert.ts";
import { EMPTY_DRAFT, type RuleDraft, ruleOf } from "./rule-draft.ts";
import { DraftError, spanOf } from "./typed.ts";

describe("what is typed", () => {
  const draft = (over: Partial<RuleDraft>): RuleDraft => ({
    ...EMPTY_DRAFT,
    metric: "t",
    level: "80",
    ...over,
  });

  it("[A52] is a new rule whose defaults, which the form shows, are those of the server", () => {
    const typed = { name: "t above 80", scope: { zone: "hall-2" }, forMs: 60_000 };
    const condition = { type: "threshold", metric: "t", above: 80 };
    const made = ruleOf(draft({ lasting: "1 min", zone: " hall-2 " }), null);
    expect(made).toEqual(ruleBody.parse({ ...typed, condition }));
  });

  it("whom to tell, when to tell others, and how long it is quiet are read from what is typed", () => {
    const escalation = [
      { after: "10 min", channels: null },
      { after: "1 h", channels: ["boss"] },
    ];
    expect(
      ruleOf(draft({ cooldown: "0 s", groupWithin: "90 s", channels: ["a"], escalation }), null),
    ).toMatchObject({
      cooldownMs: 0,
      groupWithinMs: 90_000,
      channels: ["a"],
      escalation: [
        { afterMs: 600_000, channels: null },
        { afterMs: 3_600_000, channels: ["boss"] },
      ],
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
    [{ clear: "x" }, "Over again at: “x” is no number"],
    [{ lasting: "5" }, "For at least: “5” is no span"],
    [{ cooldown: "" }, "Then quiet for: “” is no span"],
    [{ channels: [] }, "Who is told: no channel is chosen"],
    [{ escalation: [{ after: "soon", channels: null }] }, "Step 1, after: “soon” is no span"],
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
