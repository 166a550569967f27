// What a person types into the form of a rule ↔ the rule. Pure; whether the rule makes sense the server says.
import type * as z from "zod";
import type { Condition, DetectorName, Rule, ruleBody, Severity } from "../../schemas/alert.ts";
import { conditionInWords, formatSpan } from "../alerts/alert-words.ts";
import { DraftError, numberOf, spanOf } from "./typed.ts";

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
  cooldown: string;
  groupWithin: string;
  /** Whom to tell; null: the channels whose route takes it. */
  channels: string[] | null;
  escalation: StepDraft[];
}

/** Who is told when nobody has acknowledged `after` it fired; `channels` null: the rule's. */
export interface StepDraft {
  after: string;
  channels: string[] | null;
}

/** As the contract has it. */
export const STEPS_MAX = 5;

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
  cooldown: "5 min",
  groupWithin: "1 min",
  channels: null,
  escalation: [],
};

const FIELDS: Record<ConditionType, readonly (keyof RuleDraft)[]> = {
  threshold: ["metric", "side", "level", "clear", "lasting", "count"],
  no_data: ["metric", "after"],
  hot: ["lasting"],
  rate_of_change: ["metric", "direction", "by", "over", "lasting", "count"],
  flat_line: ["metric", "tolerance", "after", "lasting"],
  anomaly: ["metric", "detector", "detectorLevel"],
  expression: ["metric", "operator", "right", "apart", "side", "level", "clear", "lasting", "count"],
};

/** Whether the condition of this draft has the field. The detector that learns says by itself how long is enough. */
export function hasField({ type, detector }: RuleDraft, field: keyof RuleDraft): boolean {
  const isPlain = type === "anomaly" && detector === "zscore";
  return FIELDS[type].includes(field) || (isPlain && (field === "lasting" || field === "count"));
}

export function draftOf(rule: Rule): RuleDraft {
  const { name, severity, enabled, scope, condition, channels } = rule;
  const { zone = "", model = "", device = "" } = scope;
  const draft: RuleDraft = {
    ...EMPTY_DRAFT,
    ...{ name, severity, enabled, zone, model, device, channels },
    type: condition.type,
    lasting: formatSpan(rule.forMs),
    count: String(rule.count),
    cooldown: formatSpan(rule.cooldownMs),
    groupWithin: formatSpan(rule.groupWithinMs),
    escalation: rule.escalation.map(({ afterMs, channels }) => ({ after: formatSpan(afterMs), channels })),
  };
  if (condition.type === "expression") draft.metric = condition.left;
  else if (condition.type !== "hot") draft.metric = condition.metric ?? "";
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
    case "hot":
      return draft;
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

/**
 * The rule that is typed. Spaces around what was typed do not count; those that `was` has already stay.
 * @throws DraftError with the field, what it holds, and what it should.
 */
export function ruleOf(draft: RuleDraft, was: Rule | null): RuleInput {
  const { severity, enabled, channels } = draft;
  const before = was === null ? EMPTY_DRAFT : draftOf(was);
  const trimmed = (field: TextField) => (draft[field] === before[field] ? draft[field] : draft[field].trim());
  const condition = conditionOf({ ...draft, metric: trimmed("metric"), right: trimmed("right") });
  const scope = { zone: trimmed("zone"), model: trimmed("model"), device: trimmed("device") };
  const has = (field: keyof RuleDraft) => hasField(draft, field);
  return {
    name: trimmed("name") || conditionInWords(condition as Condition).slice(0, NAME_CHARS_MAX),
    severity,
    enabled,
    scope: Object.fromEntries(Object.entries(scope).filter(([, value]) => value !== "")),
    condition,
    forMs: has("lasting") ? spanOf("For at least", draft.lasting) : 0,
    count: has("count") ? numberOf("Readings in a row", draft.count) : 1,
    cooldownMs: spanOf("Then quiet for", draft.cooldown),
    groupWithinMs: spanOf("One incident within", draft.groupWithin),
    channels: chosen("Who is told", channels),
    escalation: draft.escalation.map((step, i) => ({
      afterMs: spanOf(`Step ${i + 1}, after`, step.after),
      channels: chosen(`Step ${i + 1}`, step.channels),
    })),
  };
}

type TextField = "name" | "zone" | "model" | "device" | "metric" | "right";

/** As the contract has it. */
const NAME_CHARS_MAX = 100;

function chosen(field: string, channels: string[] | null): string[] | null {
  if (channels === null || channels.length > 0) return channels;
  throw new DraftError(`${field}: no channel is chosen; choose one, or let the channels' own routes decide.`);
}

function conditionOf(draft: RuleDraft): RuleInput["condition"] {
  const { type, metric, right, direction, detectorLevel, operator } = draft;
  if (type === "hot") return { type };
  if (metric === "" && type !== "no_data") throw new DraftError("Which metric? None is given.");
  switch (type) {
    case "threshold":
      return { type, metric, ...levelOf(draft) };
    case "expression": {
      if (right === "") throw new DraftError("Which second metric? None is given.");
      const withinMs = spanOf("At most this far apart", draft.apart);
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
  const clears = clear.trim() === "" ? {} : { clear: numberOf("Over again at", clear) };
  return { [side]: numberOf(side === "above" ? "Above" : "Below", level), ...clears };
}
