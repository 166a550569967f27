// What was received last, and our clock → the no-data alerts (SPEC A8).
import type { AlertEvent, AlertReading, Condition, Rule } from "../../schemas/alert.ts";
import type { ReportView } from "./condition/verdict.ts";
import { decide, eventsOf, quietUntil } from "./episode.ts";
import { type AlertsState, memoryOf, type Subject } from "./state.ts";

type NoDataRule = Rule & { condition: Extract<Condition, { type: "no_data" }> };

/**
 * A no-data rule that is judged this much later than it was due, in ms, was not judged in time because we were away:
 * the shortest time a rule may have. Alarms ring within milliseconds, in an outage of the platform minutes late.
 */
export const AWAY_MS = 10_000;
/** How often a rule gives a device its time again in one silence, so that restarts do not put it off for ever. */
const AGAIN_MAX = 3;

const noDataRules = ({ rules }: AlertsState) =>
  rules.filter((rule): rule is NoDataRule => rule.condition.type === "no_data");

/**
 * Fires the no-data rules that are due at `nowMs`, by the receipt clock, and returns the new events, which are in the
 * outbox too. `lastReceivedAt` is null when nothing was ever received from the device; what was never received is not
 * missed, so its rules do not fire.
 */
export function evaluateNoData(
  alerts: AlertsState,
  subject: Subject,
  lastReceivedAt: number | null,
  nowMs: number,
): AlertEvent[] {
  return eventsOf(alerts, () => {
    for (const rule of noDataRules(alerts)) {
      const dueAt = noDataAt(alerts, rule, lastReceivedAt);
      if (dueAt === null || nowMs < dueAt) continue;
      const now = { t: nowMs, receivedAt: nowMs };
      decide(alerts, subject, rule, "breach", now, memoryOf(alerts, rule).received);
    }
  });
}

/** What is known of whether we were there to hear the device. */
export interface Presence {
  /** When this run began, epoch ms by the receipt clock; 0 where runs have no beginning. */
  startedAt: number;
  /** Whether lateness says nothing, because the alarm that was to judge in time was lost. */
  isAlarmLost?: boolean;
}

/**
 * Gives devices their time again, for our own absence is no silence of theirs: a no-data rule that is due at `nowMs`,
 * by the receipt clock, counts anew from the start of this run when that came after what it counted from, and from
 * now when it is judged more than `AWAY_MS` late; three times in a silence. Returns whether any does: commit that.
 */
export function giveTimeAgain(
  alerts: AlertsState,
  lastReceivedAt: number | null,
  nowMs: number,
  { startedAt, isAlarmLost = false }: Presence,
): boolean {
  let isGiven = false;
  for (const rule of noDataRules(alerts)) {
    const dueAt = noDataAt(alerts, rule, lastReceivedAt);
    if (dueAt === null || nowMs < dueAt) continue;
    const memory = memoryOf(alerts, rule);
    const last = lastOf(alerts, rule, lastReceivedAt)!;
    const { from, times } = memory.again?.last === last ? memory.again : { from: last, times: 0 };
    if (times >= AGAIN_MAX) continue;
    const dueSinceStart = startedAt > from ? startedAt + rule.condition.afterMs : 0;
    const lateMs = nowMs - Math.max(dueAt, dueSinceStart, memory.watchedFrom ?? 0);
    const isLate = lateMs > AWAY_MS && !isAlarmLost;
    if (dueSinceStart <= nowMs && !isLate) continue;
    memory.again = { last, from: dueSinceStart > nowMs ? startedAt : nowMs, times: times + 1 };
    isGiven = true;
  }
  return isGiven;
}

/**
 * Has new no-data rules know what was received before they came, so that a metric without data since then is missed
 * too. `latestOf` returns the latest reading of a metric; undefined when there is none.
 */
export function recall(alerts: AlertsState, latestOf: (metric: string) => AlertReading | undefined): void {
  for (const rule of noDataRules(alerts)) {
    const { metric } = rule.condition;
    if (metric !== undefined) memoryOf(alerts, rule).received ??= latestOf(metric) ?? null;
  }
}

/**
 * Returns when the first no-data rule fires unless something is received, epoch ms by the receipt clock; null when
 * none can fire. `lastReceivedAt` is null when nothing was ever received.
 */
export function nextNoDataAt(alerts: AlertsState, lastReceivedAt: number | null): number | null {
  const due = noDataRules(alerts)
    .map((rule) => noDataAt(alerts, rule, lastReceivedAt))
    .filter((at) => at !== null);
  return due.length === 0 ? null : Math.min(...due);
}

/**
 * When a no-data rule fires unless something is received, epoch ms by the receipt clock; null when it cannot: it
 * fires already, is latched, or nothing was ever received.
 */
function noDataAt(alerts: AlertsState, rule: NoDataRule, lastReceivedAt: number | null): number | null {
  const memory = memoryOf(alerts, rule);
  if (memory.phase.state === "firing" || memory.phase.state === "latched") return null;
  const last = lastOf(alerts, rule, lastReceivedAt);
  if (last === null) return null;
  const from = memory.again?.last === last ? memory.again.from : last;
  return Math.max(from + rule.condition.afterMs, quietUntil(memory, rule) ?? 0);
}

/** When what a rule misses was received last, epoch ms by the receipt clock; null when it never was. */
const lastOf = (alerts: AlertsState, rule: NoDataRule, lastReceivedAt: number | null): number | null =>
  rule.condition.metric === undefined
    ? lastReceivedAt
    : (memoryOf(alerts, rule).received?.receivedAt ?? null);

/**
 * Notes for a no-data rule that a report was received: whatever its values and its `at`, it ends the no-data state,
 * unless it was received before that state began. Rules of other conditions, and reports without the rule's metric,
 * change nothing.
 */
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
  // The alarm does not watch a flapping rule, whose alert is still active: that data was missing again shows only here.
  if (before !== null && receivedAt - before.receivedAt >= condition.afterMs)
    decide(alerts, subject, rule, "breach", now, reading);
  decide(alerts, subject, rule, "clear", now, reading);
}
