// The tenant's rules, or a move or the end of the device → the rules it keeps, and the alerts that end with the others.
import type { AlertEvent, Condition, Resolution, Rule } from "../../schemas/alert.ts";
import { RULES_PER_DEVICE_MAX } from "../../schemas/limits.ts";
import type { TenantRules } from "../../schemas/message.ts";
import { metricsOf } from "./condition/index.ts";
import { activeState, end, eventsOf, shownRule } from "./episode.ts";
import { concerns } from "./scope.ts";
import { type AlertsState, isNewerThan, memoryOf, type RuleMemory, type Subject } from "./state.ts";
import { OK } from "./transition.ts";

/**
 * Takes the tenant's rules, changing `alerts`: keeps the enabled ones that concern the device, the first 50 by id,
 * and ends the alerts of the others. Returns the new events, which are in the outbox too. Rules that are not newer
 * than those kept, as `isNewerThan` says, change nothing. `nowMs` is of the receipt clock.
 */
export function setRules(
  alerts: AlertsState,
  subject: Subject,
  { version, rules }: TenantRules,
  nowMs: number,
): AlertEvent[] {
  if (!isNewerThan(alerts, version)) return [];
  return eventsOf(alerts, () => {
    const kept = rules
      .filter((rule) => rule.enabled && concerns(rule.scope, subject))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, RULES_PER_DEVICE_MAX);
    const keptById = new Map(kept.map((rule) => [rule.id, rule]));
    for (const old of alerts.rules) {
      const edited = keptById.get(old.id);
      if (edited?.createdAt === old.createdAt) adopt(memoryOf(alerts, old), old, edited);
      else if (edited !== undefined)
        drop(alerts, old, "rule_removed", nowMs); // and made anew under its name
      else drop(alerts, old, whyGone(rules.find(({ id }) => id === old.id)), nowMs);
    }
    alerts.rules = kept;
    for (const rule of kept)
      if (rule.condition.type === "no_data") memoryOf(alerts, rule).watchedFrom ??= nowMs;
    alerts.rulesVersion = version;
    alerts.rulesAreStale = false;
  });
}

/**
 * Ends the alerts of rules that do not concern the device any more, because its zone or model changed, and forgets
 * these rules. Returns the new events, which are in the outbox too. The next `setRules` may have the same version.
 */
export function moved(alerts: AlertsState, subject: Subject, nowMs: number): AlertEvent[] {
  return eventsOf(alerts, () => {
    const stays = ({ scope }: Rule) => concerns(scope, subject);
    for (const rule of alerts.rules) if (!stays(rule)) drop(alerts, rule, "out_of_scope", nowMs);
    alerts.rules = alerts.rules.filter(stays);
    alerts.rulesAreStale = true;
  });
}

/** Ends every active alert of the device, and returns the new events, which are in the outbox too. */
export function endAll(alerts: AlertsState, resolution: "deleted", nowMs: number): AlertEvent[] {
  return eventsOf(alerts, () => {
    for (const rule of alerts.rules) {
      const memory = memoryOf(alerts, rule);
      if (memory.alert !== null) end(alerts, memory, resolution, nowMs);
    }
  });
}

function whyGone(rule: Rule | undefined): Resolution {
  if (rule === undefined) return "rule_removed";
  return rule.enabled ? "out_of_scope" : "rule_disabled";
}

function drop(alerts: AlertsState, rule: Rule, resolution: Resolution, nowMs: number): void {
  const memory = memoryOf(alerts, rule);
  if (memory.alert !== null) end(alerts, memory, resolution, nowMs);
  delete alerts.memory[rule.id];
}

/**
 * Has a rule's memory go on with the edited rule: an active alert stays (SPEC A16); with another condition everything
 * else begins anew.
 */
function adopt(memory: RuleMemory, old: Rule, edited: Rule): void {
  if (old.version === edited.version) return;
  const { alert } = memory;
  if (alert !== null) {
    memory.alert = {
      ...alert,
      rule: shownRule(edited),
      metric: metricsOf(edited.condition)[0] ?? null,
      state: alert.state === "acknowledged" ? alert.state : activeState(edited),
    };
  }
  if (isSame(old.condition, edited.condition)) return;
  memory.phase = alert === null ? OK : { state: "firing", calmSince: null };
  delete memory.watchedFrom;
  if (!learnsOn(old.condition, edited.condition)) memory.condition = null;
  if (!hearsOn(old.condition, edited.condition)) memory.received = null;
  const seen = Math.max(0, ...memory.seen);
  memory.seen = metricsOf(edited.condition).map(() => seen);
}

function isSame(a: Condition, b: Condition): boolean {
  const left: Record<string, unknown> = a;
  const right: Record<string, unknown> = b;
  return [...Object.keys(a), ...Object.keys(b)].every((key) => Object.is(left[key], right[key]));
}

/** Whether the detector of one condition goes on in another with what it has learnt of its metric. */
const learnsOn = (a: Condition, b: Condition) =>
  a.type === "anomaly" && b.type === "anomaly" && a.metric === b.metric && a.detector === b.detector;

/** Whether the time without data that was counted for one condition counts for another. */
const hearsOn = (a: Condition, b: Condition) =>
  a.type === "no_data" && b.type === "no_data" && a.metric === b.metric;
