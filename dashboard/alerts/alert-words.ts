// Rules, alerts and incidents → the words an operator reads at night. Pure.
import type { Alert, AlertReading, Incident, Resolution, RuleBody, RuleScope } from "../../schemas/alert.ts";
import { formatCount, formatValue } from "../base/format.ts";

type Duration = Partial<Pick<RuleBody, "forMs" | "count">>;

/** `temperature above 80 for 1 min, clears at 75`; how long is known of a rule, and not of the rule in an alert. */
export function conditionInWords(
  condition: RuleBody["condition"],
  { forMs = 0, count = 1 }: Duration = {},
): string {
  const lasting = `${forMs > 0 ? ` for ${formatSpan(forMs)}` : ""}${count > 1 ? `, ${count} readings in a row` : ""}`;
  switch (condition.type) {
    case "threshold":
      return `${condition.metric} ${levelInWords(condition, lasting)}`;
    case "expression": {
      const { left, operator, right } = condition;
      return `${left} ${SIGNS[operator]} ${right} ${levelInWords(condition, lasting)}`;
    }
    case "rate_of_change": {
      const { metric, direction, by, overMs } = condition;
      return `${metric} ${CHANGES[direction]} by more than ${formatValue(by)} within ${formatSpan(overMs)}${lasting}`;
    }
    case "flat_line": {
      const { metric, tolerance, afterMs } = condition;
      const within = tolerance > 0 ? `stays within ${formatValue(tolerance)}` : "does not change";
      return `${metric} ${within} for ${formatSpan(afterMs)}`;
    }
    case "no_data":
      return `no data${condition.metric === undefined ? "" : ` of ${condition.metric}`} for ${formatSpan(condition.afterMs)}`;
    case "hot":
      return `sends more reports than it may${lasting}`;
    case "anomaly":
      return `${condition.metric} is unusual${condition.level === "critical" ? "" : " to some degree"}${lasting}`;
  }
}

const SIGNS = { "+": "+", "-": "−", "*": "×", "/": "÷" };
const CHANGES = { up: "rises", down: "falls", both: "changes" };

function levelInWords(
  level: { above?: number | undefined; below?: number | undefined; clear?: number | undefined },
  lasting: string,
  saysClear = true,
) {
  const { above, below, clear } = level;
  const beyond =
    above === undefined ? `below ${formatValue(below ?? Number.NaN)}` : `above ${formatValue(above)}`;
  const isSaid = saysClear && clear !== undefined && clear !== (above ?? below);
  const clears = !isSaid ? "" : `, clears at ${formatValue(clear)}`;
  return `${beyond}${lasting}${clears}`;
}

/** `every device`, `device pump-1`, `model M3 in zone hall-2`; `names`: what devices are called, null of a deleted one. */
export function scopeInWords(
  { device, model, zone }: RuleScope,
  names: ReadonlyMap<string, string | null> = new Map(),
): string {
  const where = zone === undefined ? "" : ` in zone ${zone}`;
  if (device === undefined) return model === undefined ? `every device${where}` : `model ${model}${where}`;
  const name = names.get(device);
  const called = name === null ? `${device}, which was deleted` : (name ?? device);
  return `device ${called}${model === undefined ? "" : ` of model ${model}`}${where}`;
}

/** What the value of an alert's reading is of. */
export function measuredBy({ metric, rule }: Pick<Alert, "metric" | "rule">): string {
  if (rule.condition.type === "hot") return "reports a second";
  if (rule.condition.type !== "expression") return metric ?? "any metric";
  const { left, operator, right } = rule.condition;
  return `${left} ${SIGNS[operator]} ${right}`;
}

/** `temperature 91.25, above 80`: what a reading was, and the level it crossed. */
export function crossedInWords(
  { metric, reading }: Pick<Alert, "metric" | "reading">,
  condition: RuleBody["condition"],
): string {
  if (condition.type === "no_data") return conditionInWords(condition);
  if (reading === null) return `${conditionInWords(condition)}; the reading is not known`;
  const value = formatReading(reading);
  const { type } = condition;
  if (type === "hot") return `${value} reports a second, more than it may send`;
  if (type === "threshold") return `${condition.metric} ${value}, ${levelInWords(condition, "", false)}`;
  if (type === "expression") {
    const { left, operator, right } = condition;
    return `${left} ${SIGNS[operator]} ${right} is ${value}, ${levelInWords(condition, "", false)}`;
  }
  if (type === "rate_of_change") {
    const { direction, by, overMs } = condition;
    return `${metric} ${value}, ${CHANGED[direction]} by more than ${formatValue(by)} within ${formatSpan(overMs)}`;
  }
  if (type === "flat_line") {
    const { tolerance, afterMs } = condition;
    const how = tolerance > 0 ? `within ${formatValue(tolerance)}` : "unchanged";
    return `${metric} ${value}, ${how} for ${formatSpan(afterMs)}`;
  }
  return `${metric} ${value}, unusual for this device`;
}

const CHANGED = { up: "rose", down: "fell", both: "changed" };

const UNITS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
  [1, "ms"],
] as const;

/** `2 h`, `90 ms`, `1 min 30 s`: a rule's span, exactly. */
export function formatSpan(spanMs: number): string {
  let restMs = spanMs;
  const parts: string[] = [];
  for (const [unitMs, unit] of UNITS) {
    const whole = Math.floor(restMs / unitMs);
    if (whole > 0) parts.push(`${whole} ${unit}`);
    restMs -= whole * unitMs;
  }
  return parts.length === 0 ? "0 s" : parts.join(" ");
}

/** How long something lasted, in the two largest units from a second up: `3 min 20 s`, `2 d 4 h`. */
export function formatLasting(spanMs: number): string {
  const seconds = Math.max(1, Math.round(spanMs / 1_000));
  return formatSpan(seconds * 1_000)
    .split(" ")
    .slice(0, 4)
    .join(" ");
}

export const RESOLUTIONS: Record<Resolution, string> = {
  cleared: "cleared",
  by_hand: "resolved by hand",
  rule_removed: "its rule was removed",
  rule_disabled: "its rule was switched off",
  out_of_scope: "no longer concerned by the rule",
  deleted: "the device was deleted",
};

export const STATES: Record<Alert["state"], string> = {
  firing: "firing",
  no_data: "no data",
  acknowledged: "acknowledged",
  resolved: "resolved",
};

/** `3 of 5 devices active`, `1 device active`, `5 devices`. */
export function membersInWords({ active, members, muted, state }: Incident): string {
  const devices = `${formatCount(members)} ${members === 1 ? "device" : "devices"}`;
  if (state === "resolved") return devices;
  const behind = muted > 0 ? `, ${formatCount(muted)} behind a silent gateway` : "";
  return `${active === members ? devices : `${formatCount(active)} of ${devices}`} active${behind}`;
}

export function formatReading({ value }: AlertReading): string {
  return formatValue(value);
}

const URGENCY = { critical: 0, warning: 1, info: 2 };

/** Active ones: what nobody has taken yet first, then what matters most, then the newest. */
export function orderIncidents<Known extends Incident>(incidents: readonly Known[]): Known[] {
  return incidents.toSorted(
    (a, b) =>
      Number(a.state !== "firing") - Number(b.state !== "firing") ||
      URGENCY[a.rule.severity] - URGENCY[b.rule.severity] ||
      b.openedAt - a.openedAt,
  );
}

/** Active members first, each half with the newest first. */
export function orderMembers(alerts: readonly Alert[]): Alert[] {
  return alerts.toSorted(
    (a, b) =>
      Number(a.resolvedAt !== null) - Number(b.resolvedAt !== null) ||
      (b.resolvedAt ?? b.firedAt) - (a.resolvedAt ?? a.firedAt),
  );
}
