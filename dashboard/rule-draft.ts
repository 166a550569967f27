// What a person types into the form of a rule ↔ the rule. Pure; whether the rule makes sense the server says.
import type * as z from "zod";
import type { Condition, DetectorName, Rule, ruleBody, Severity } from "../schemas/alert.ts";
import { formatSpan } from "./alert-words.ts";

export type RuleInput = z.input<typeof ruleBody>;
export type ConditionType = Condition["type"];

/** Every field as it is typed; those that the type of condition has no use for are kept, so that changing the type back loses nothing. */
export interface RuleDraft {
  name: string;
  severity: Severity;
  enabled: boolean;
  zone: string;
  model: string;
  device: string;
  type: ConditionType;
  metric: string;
  side: "above" | "below";
  level: string;
  clear: string;
  by: string;
  over: string;
  direction: "up" | "down" | "both";
  tolerance: string;
  after: string;
  /** Empty: the default one. */
  detector: string;
  detectorLevel: "warning" | "critical";
  operator: "+" | "-" | "*" | "/";
  right: string;
  apart: string;
  lasting: string;
  count: string;
}

export const EMPTY_DRAFT: RuleDraft = {
  name: "",
  severity: "warning",
  enabled: true,
  zone: "",
  model: "",
  device: "",
  type: "threshold",
  metric: "",
  side: "above",
  level: "",
  clear: "",
  by: "",
  over: "10 min",
  direction: "both",
  tolerance: "0",
  after: "5 min",
  detector: "",
  detectorLevel: "critical",
  operator: "-",
  right: "",
  apart: "10 min",
  lasting: "0 s",
  count: "1",
};

/** Which fields a type of condition is made of. */
export const FIELDS: Record<ConditionType, readonly (keyof RuleDraft)[]> = {
  threshold: ["metric", "side", "level", "clear", "lasting", "count"],
  no_data: ["metric", "after"],
  rate_of_change: ["metric", "direction", "by", "over", "lasting", "count"],
  flat_line: ["metric", "tolerance", "after"],
  anomaly: ["metric", "detector", "detectorLevel"],
  expression: ["metric", "operator", "right", "apart", "side", "level", "clear", "lasting", "count"],
};

export function draftOf(rule: Rule): RuleDraft {
  const { name, severity, enabled, scope, condition, forMs, count } = rule;
  const { zone = "", model = "", device = "" } = scope;
  const draft = { ...EMPTY_DRAFT, name, severity, enabled, zone, model, device, type: condition.type };
  Object.assign(draft, { lasting: formatSpan(forMs), count: String(count) });
  if (condition.type === "expression") Object.assign(draft, { metric: condition.left });
  else draft.metric = condition.metric ?? "";
  switch (condition.type) {
    case "threshold":
      return { ...draft, ...levelDraft(condition) };
    case "expression": {
      const { operator, right, withinMs } = condition;
      return { ...draft, ...levelDraft(condition), operator, right, apart: formatSpan(withinMs) };
    }
    case "rate_of_change": {
      const { by, overMs, direction } = condition;
      return { ...draft, by: String(by), over: formatSpan(overMs), direction };
    }
    case "flat_line":
      return { ...draft, tolerance: String(condition.tolerance), after: formatSpan(condition.afterMs) };
    case "no_data":
      return { ...draft, after: formatSpan(condition.afterMs) };
    case "anomaly":
      return { ...draft, detector: condition.detector, detectorLevel: condition.level };
  }
}

type Level = Pick<Extract<Condition, { type: "threshold" }>, "above" | "below" | "clear">;

const levelDraft = ({ above, below, clear }: Level): Pick<RuleDraft, "side" | "level" | "clear"> => ({
  side: above === undefined ? "below" : "above",
  level: String(above ?? below ?? ""),
  clear: clear === undefined ? "" : String(clear),
});

/** What cannot be read as what it should be: said at the form, not sent. */
export class DraftError extends Error {}

/**
 * The rule that is typed; what the form does not show is as it was in `was`.
 * @throws DraftError with the field, what it holds, and what it should.
 */
export function ruleOf(draft: RuleDraft, was: Rule | null): RuleInput {
  const { name, severity, enabled, zone, model, device, type } = draft;
  const has = (field: keyof RuleDraft) => FIELDS[type].includes(field);
  const { cooldownMs, groupWithinMs, channels, escalation } = was ?? {};
  const kept = was === null ? {} : { cooldownMs, groupWithinMs, channels, escalation };
  return {
    ...kept,
    name: name.trim() === "" ? describedBy(draft) : name.trim(),
    severity,
    enabled,
    scope: filled({ zone, model, device }),
    condition: conditionOf(draft),
    forMs: has("lasting") ? spanOf("It has to last", draft.lasting) : 0,
    count: has("count") ? numberOf("Readings in a row", draft.count) : 1,
  };
}

/** A name for who gives none. */
const describedBy = ({ type, metric }: RuleDraft) => `${metric.trim()} ${type.replaceAll("_", " ")}`.trim();

function conditionOf(draft: RuleDraft): RuleInput["condition"] {
  const { type, direction, detectorLevel, operator } = draft;
  const metric = draft.metric.trim();
  if (metric === "" && type !== "no_data") throw new DraftError("Which metric? None is given.");
  switch (type) {
    case "threshold":
      return { type, metric, ...levelOf(draft) };
    case "expression": {
      const right = draft.right.trim();
      if (right === "") throw new DraftError("Which second metric? None is given.");
      const withinMs = spanOf("Read at most apart", draft.apart);
      return { type, left: metric, operator, right, withinMs, ...levelOf(draft) };
    }
    case "rate_of_change":
      return {
        type,
        metric,
        direction,
        by: numberOf("By more than", draft.by),
        overMs: spanOf("Within", draft.over),
      };
    case "flat_line":
      return {
        type,
        metric,
        tolerance: numberOf("Stays within", draft.tolerance),
        afterMs: spanOf("For", draft.after),
      };
    case "no_data":
      return { type, ...(metric === "" ? {} : { metric }), afterMs: spanOf("For", draft.after) };
    case "anomaly":
      return { type, metric, ...detectorOf(draft), level: detectorLevel };
  }
}

/** Which names there are the server knows. */
const detectorOf = ({ detector }: RuleDraft) =>
  detector === "" ? {} : { detector: detector as DetectorName };

function levelOf({ side, level, clear }: RuleDraft): Level {
  const clears = clear.trim() === "" ? {} : { clear: numberOf("Clears at", clear) };
  return { [side]: numberOf(side === "above" ? "Above" : "Below", level), ...clears };
}

function filled(fields: Record<string, string>): Record<string, string> {
  const trimmed = Object.entries(fields).map(([name, value]) => [name, value.trim()] as const);
  return Object.fromEntries(trimmed.filter(([, value]) => value !== ""));
}

function numberOf(field: string, text: string): number {
  const value = Number(text.trim().replace("−", "-"));
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new DraftError(`${field}: “${text}” is no number; write one like 80 or -0.5.`);
}

const UNIT_MS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `90 s`, `1 min 30 s`, `2h` → ms. */
export function spanOf(field: string, text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)(?![a-z])/g)];
  const isWhole =
    parts
      .map(([part]) => part)
      .join("")
      .replaceAll(" ", "") === text.replaceAll(" ", "");
  if (parts.length > 0 && isWhole) {
    return Math.round(parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit!]!, 0));
  }
  throw new DraftError(`${field}: “${text}” is no span; write one like 30 s, 5 min or 1 h 30 min.`);
}
