// Whatever rule the server would store, the dashboard's form shows it whole and saves it unchanged.
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkRule } from "../core/alert/check-rule.ts";
import { draftOf, EMPTY_DRAFT, ruleOf, STEPS_MAX } from "../dashboard/rules/rule-draft.ts";
import { condition, detectorName, type Rule, rule, ruleBody, severity } from "../schemas/alert.ts";
import { metricName } from "../schemas/name.ts";

const metric = fc
  .string({ minLength: 1, maxLength: 30 })
  .filter((text) => metricName.safeParse(text).success);
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,20}$/);
const id = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,20}$/);
const spanMs = (min: number, max = 7 * 86_400_000) => fc.integer({ min, max });
const value = fc.double({ noNaN: true, noDefaultInfinity: true });
const channels = fc.option(fc.array(id, { minLength: 1, maxLength: 20 }), { nil: null });
const level = fc
  .tuple(fc.constantFrom("above", "below"), value, fc.option(value, { nil: undefined }))
  .map(([side, level, clear]) => ({ [side]: level, ...(clear === undefined ? {} : { clear }) }));
const type = <T extends string>(text: T) => fc.constant(text);

const CONDITIONS = {
  threshold: fc
    .record({ type: type("threshold"), metric })
    .chain((some) => level.map((l) => ({ ...some, ...l }))),
  rate_of_change: fc.record({
    type: type("rate_of_change"),
    metric,
    by: value,
    overMs: spanMs(1_000),
    direction: fc.constantFrom("up", "down", "both"),
  }),
  flat_line: fc.record({ type: type("flat_line"), metric, tolerance: value, afterMs: spanMs(60_000) }),
  no_data: fc.record(
    { type: type("no_data"), metric, afterMs: spanMs(10_000) },
    { requiredKeys: ["type", "afterMs"] },
  ),
  hot: fc.record({ type: type("hot") }),
  anomaly: fc.record({
    type: type("anomaly"),
    metric,
    detector: fc.constantFrom(...detectorName.options),
    level: fc.constantFrom("warning", "critical"),
  }),
  expression: fc
    .record({
      type: type("expression"),
      left: metric,
      operator: fc.constantFrom("+", "-", "*", "/"),
      right: metric,
      withinMs: spanMs(1_000),
    })
    .chain((some) => level.map((l) => ({ ...some, ...l }))),
};

const ruleWith = (condition: fc.Arbitrary<object>): fc.Arbitrary<Rule> =>
  fc
    .record({
      id,
      version: fc.integer({ min: 1, max: 1_000 }),
      createdAt: fc.nat(),
      updatedAt: fc.nat(),
      updatedBy: fc.string(),
      name: fc.string({ minLength: 1, maxLength: 100 }),
      scope: fc.record(
        { zone: name, model: fc.string({ minLength: 1, maxLength: 128 }), device: name },
        { requiredKeys: [] },
      ),
      condition,
      forMs: fc.oneof(fc.constant(0), spanMs(0)),
      count: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 1_000 })),
      severity: fc.constantFrom(...severity.options),
      cooldownMs: spanMs(0),
      groupWithinMs: spanMs(0, 3_600_000),
      channels,
      escalation: fc.array(fc.record({ afterMs: spanMs(10_000), channels }), { maxLength: STEPS_MAX }),
      enabled: fc.boolean(),
    })
    // As it comes over HTTP: there is no -0.
    .map((fields) => rule.parse(JSON.parse(JSON.stringify(fields))))
    // One that the server would not have stored nobody edits.
    .filter((made) => checkRule({ ...made, escalation: [] }) === undefined);

describe("[A52] a rule, shown in the form and saved unchanged, is the same rule", () => {
  it.each(condition.options.map((option) => option.shape.type.value))("%s", (conditionType) => {
    fc.assert(
      fc.property(ruleWith(CONDITIONS[conditionType]), (before) => {
        const {
          id: _id,
          version: _version,
          createdAt: _at,
          updatedAt: _then,
          updatedBy: _by,
          ...body
        } = before;
        expect(ruleBody.parse(ruleOf(draftOf(before), before))).toEqual(body);
      }),
    );
  });

  it("every field of a rule is one of the draft's, or only the server writes it", () => {
    const serverWrites = ["id", "version", "createdAt", "updatedAt", "updatedBy"];
    const otherName = {
      scope: "zone",
      condition: "type",
      forMs: "lasting",
      cooldownMs: "cooldown",
      groupWithinMs: "groupWithin",
    };
    const shown = Object.keys(rule.shape).filter((field) => !serverWrites.includes(field));
    for (const field of shown) {
      expect(Object.keys(EMPTY_DRAFT)).toContain(otherName[field as keyof typeof otherName] ?? field);
    }
  });
});
