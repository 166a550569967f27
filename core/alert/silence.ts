// What was received last, and our clock → the no-data alerts (SPEC A8).
import type { AlertEvent, AlertReading, Condition, Rule } from "../../schemas/alert.ts";
import { decide, eventsOf, quietUntil } from "./episode.ts";
import type { ReportView } from "./evaluate.ts";
import { type AlertsState, memoryOf, type Subject } from "./state.ts";

type SilenceRule = Rule & { condition: Extract<Condition, { type: "no_data" }> };

const silenceRules = ({ rules }: AlertsState) =>
  rules.filter((rule): rule is SilenceRule => rule.condition.type === "no_data");

/** Fires what is due: nothing was received for so long. A device never heard of is not missed. */
export function evaluateSilence(
  alerts: AlertsState,
  subject: Subject,
  lastReceivedAt: number | null,
  nowMs: number,
): AlertEvent[] {
  return eventsOf(alerts, () => {
    for (const rule of silenceRules(alerts)) {
      const dueAt = silentAt(alerts, rule, lastReceivedAt);
      if (dueAt === null || nowMs < dueAt) continue;
      const now = { t: nowMs, receivedAt: nowMs };
      decide(alerts, subject, rule, "breach", now, memoryOf(alerts, rule).received);
    }
  });
}

/** What was received before a rule came counts: a metric that has fallen silent already is missed too. */
export function recall(alerts: AlertsState, latestOf: (metric: string) => AlertReading | undefined): void {
  for (const rule of silenceRules(alerts)) {
    const { metric } = rule.condition;
    if (metric !== undefined) memoryOf(alerts, rule).received ??= latestOf(metric) ?? null;
  }
}

/** When the object must look at the latest, by our clock; null: never. */
export function nextSilenceAt(alerts: AlertsState, lastReceivedAt: number | null): number | null {
  const due = silenceRules(alerts)
    .map((rule) => silentAt(alerts, rule, lastReceivedAt))
    .filter((at) => at !== null);
  return due.length === 0 ? null : Math.min(...due);
}

/** When the rule fires unless something comes; null: it does not. */
function silentAt(alerts: AlertsState, rule: SilenceRule, lastReceivedAt: number | null): number | null {
  const memory = memoryOf(alerts, rule);
  if (memory.phase.state === "firing" || memory.phase.state === "latched") return null;
  const last = rule.condition.metric === undefined ? lastReceivedAt : (memory.received?.receivedAt ?? null);
  if (last === null) return null;
  return Math.max(last + rule.condition.afterMs, quietUntil(memory, rule) ?? 0);
}

/** A report came: whatever it holds, however late, it ends the silence. One received before that began does not. */
export function noteReceipt(
  alerts: AlertsState,
  subject: Subject,
  rule: Rule,
  { at, receivedAt, valueIn }: ReportView,
): void {
  const { condition } = rule;
  if (condition.type !== "no_data") return;
  const value = valueIn(condition.metric);
  if (value === undefined) return;
  const memory = memoryOf(alerts, rule);
  const before = memory.received;
  const reading = { at, receivedAt, value: value + 0 };
  if (before === null || receivedAt >= before.receivedAt) memory.received = reading;
  const { phase, alert, endedAt } = memory;
  if (phase.state === "ok" || receivedAt < (alert?.firedAt ?? endedAt ?? 0)) return;
  const now = { t: receivedAt, receivedAt };
  // While it flaps nobody looks when it falls silent again: that it did shows when it speaks.
  if (before !== null && receivedAt - before.receivedAt >= condition.afterMs)
    decide(alerts, subject, rule, "breach", now, reading);
  decide(alerts, subject, rule, "clear", now, reading);
}
