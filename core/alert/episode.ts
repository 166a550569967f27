// A change of a rule's phase → the alert, and the event that tells of it.
import type { Alert, AlertEvent, AlertReading, Resolution, Rule } from "../../schemas/alert.ts";
import { metricsOf } from "./condition/index.ts";
import type { Instant, Verdict } from "./condition/verdict.ts";
import { type AlertsState, memoryOf, type RuleMemory, type Subject } from "./state.ts";
import { OK, transition } from "./transition.ts";

/** A rule that fires this often within so long is flapping; then it has to be clear so long to be believed (SPEC A19). */
const FLAPPING_FIRINGS = 5;
const FLAPPING_WITHIN_MS = 60 * 60_000;
const FLAPPING_CALM_MS = 10 * 60_000;

/** So much the state row holds of what a zone that is away was not told, with the longest rules there are. */
export const OUTBOX_MAX = 200;

/** A silence has lasted when it is due. */
const AT_ONCE = { forMs: 0, count: 1 };

/** When the cooldown ends, by our clock; null: none runs. */
export const quietUntil = ({ endedAt }: RuleMemory, { cooldownMs }: Rule): number | null =>
  endedAt === null ? null : endedAt + cooldownMs;

/** What would fire now is pending until the zone has taken the others. A silence is not: its alarm would come at once, again and again. */
const isFull = ({ outbox }: AlertsState, { condition }: Rule) =>
  outbox.length >= OUTBOX_MAX && condition.type !== "no_data";

/** Takes a verdict: the phase after it and, when it fires or clears, the event. */
export function decide(
  alerts: AlertsState,
  subject: Subject,
  rule: Rule,
  verdict: Verdict,
  now: Instant,
  reading: AlertReading | null,
): void {
  const memory = memoryOf(alerts, rule);
  const wasFiring = memory.phase.state === "firing";
  memory.phase = transition(memory.phase, verdict, now, {
    ...(rule.condition.type === "no_data" ? AT_ONCE : rule),
    quietUntil: isFull(alerts, rule) ? Number.POSITIVE_INFINITY : quietUntil(memory, rule),
    calmMs: memory.alert?.flapping ? FLAPPING_CALM_MS : 0,
  });
  const isFiring = memory.phase.state === "firing";
  if (isFiring && !wasFiring) fire(alerts, subject, rule, memory, now.receivedAt, reading);
  if (wasFiring && !isFiring) end(alerts, memory, "cleared", now.receivedAt, { clearedBy: reading });
}

function fire(
  alerts: AlertsState,
  subject: Subject,
  rule: Rule,
  memory: RuleMemory,
  firedAt: number,
  reading: AlertReading | null,
): void {
  alerts.episodes += 1;
  memory.firings = [...memory.firings.filter((at) => firedAt - at < FLAPPING_WITHIN_MS), firedAt].slice(
    -FLAPPING_FIRINGS,
  );
  memory.alert = {
    id: `${rule.id}.${subject.generation}.${alerts.episodes}.${subject.device}`,
    revision: 0,
    state: activeState(rule),
    device: subject.device,
    zone: subject.zone,
    model: subject.model,
    gateway: subject.gateway,
    rule: shownRule(rule),
    metric: metricsOf(rule.condition)[0] ?? null,
    firedAt,
    reading,
    flapping: memory.firings.length === FLAPPING_FIRINGS,
    acknowledgedAt: null,
    acknowledgedBy: null,
    assignee: null,
    resolvedAt: null,
    resolution: null,
    clearedBy: null,
  };
  tell(alerts, memory, { kind: "fired", at: firedAt, by: null, text: null });
}

export const activeState = ({ condition }: Rule): Alert["state"] =>
  condition.type === "no_data" ? "no_data" : "firing";

/** What an alert carries of its rule. */
export const shownRule = (rule: Rule): Alert["rule"] => ({
  id: rule.id,
  version: rule.version,
  name: rule.name,
  condition: rule.condition,
  severity: rule.severity,
  groupWithinMs: rule.groupWithinMs,
  channels: rule.channels,
  escalation: rule.escalation,
});

/** How an active alert ends. Gives it as it ended. */
export function end(
  alerts: AlertsState,
  memory: RuleMemory,
  resolution: Resolution,
  resolvedAt: number,
  { clearedBy = null, by = null, text = null }: Partial<Ending> = {},
): Alert {
  const change = { state: "resolved", resolvedAt, resolution, clearedBy } as const;
  if (memory.alert?.flapping) memory.firings = [];
  const ended = tell(alerts, memory, { kind: "resolved", at: resolvedAt, by, text }, change);
  memory.alert = null;
  memory.endedAt = resolvedAt;
  memory.phase = resolution === "by_hand" ? { state: "latched" } : OK;
  return ended;
}

interface Ending {
  clearedBy: AlertReading | null;
  by: string | null;
  text: string | null;
}

/** Changes the active alert and puts the event into the outbox. Alerts are never changed in place: events hold them. */
export function tell(
  alerts: AlertsState,
  memory: RuleMemory,
  event: Omit<AlertEvent, "alert">,
  change: Partial<Alert> = {},
): Alert {
  const before = memory.alert!;
  const alert = { ...before, ...change, revision: before.revision + 1 };
  memory.alert = alert;
  alerts.outbox.push({ ...event, alert });
  return alert;
}

/** What `change` put into the outbox. */
export function eventsOf(alerts: AlertsState, change: () => void): AlertEvent[] {
  const before = alerts.outbox.length;
  change();
  return alerts.outbox.slice(before);
}
