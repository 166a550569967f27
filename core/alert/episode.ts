// A change of a rule's phase → the alert, and the event that tells of it.
import type { Alert, AlertEvent, AlertReading, Resolution, Rule } from "../../schemas/alert.ts";
import { metricsOf } from "./condition/index.ts";
import type { Instant, Verdict } from "./condition/verdict.ts";
import { type AlertsState, memoryOf, type RuleMemory, type Subject } from "./state.ts";
import { OK, transition } from "./transition.ts";

/** A rule is flapping when it fires this often within `FLAPPING_WITHIN_MS` (SPEC A19). */
const FLAPPING_FIRINGS = 5;
/** The time in which a flapping rule's firings lie, in ms. */
const FLAPPING_WITHIN_MS = 60 * 60_000;
/** How long a flapping rule has to be clear until its alert ends, in ms. */
const FLAPPING_CALM_MS = 10 * 60_000;
/**
 * How long a device has to be no longer hot until the alert ends, in ms: the time its rate is measured over, so that an
 * object that restarted, and forgot refused reports of the last minute, does not take it for cool.
 */
const HOT_CALM_MS = 60_000;

/**
 * The most events a device keeps for a zone that does not confirm them: as many as its state row holds with the
 * longest rules there are.
 */
export const OUTBOX_MAX = 200;

/**
 * A no-data rule fires at its first breach: it is judged only when nothing was received for the rule's whole time.
 */
const AT_ONCE = { forMs: 0, count: 1 };

/**
 * Returns when a rule's cooldown ends, epoch ms by the receipt clock, which may have passed; null when no alert of
 * the rule ever ended.
 */
export const quietUntil = ({ endedAt }: RuleMemory, { cooldownMs }: Rule): number | null =>
  endedAt === null ? null : endedAt + cooldownMs;

/** Returns how long a rule's condition has to be clear until its alert ends, in ms. */
export function calmMsOf({ alert }: RuleMemory, { condition }: Rule): number {
  if (alert?.flapping) return FLAPPING_CALM_MS;
  return condition.type === "hot" ? HOT_CALM_MS : 0;
}

/**
 * Whether the outbox is full, so that a rule that would fire stays pending until the zone has confirmed events. A
 * no-data rule fires all the same: its alarm would go off at once, again and again.
 */
const isFull = ({ outbox }: AlertsState, { condition }: Rule) =>
  outbox.length >= OUTBOX_MAX && condition.type !== "no_data";

/**
 * Moves a rule by a verdict to its next phase, changing `alerts`. When the rule fires or clears, its alert begins or
 * ends, and the event goes to the outbox.
 * @param now when the verdict counts, by the device's clock and by the receipt clock
 * @param reading what the verdict rests on, for people to see; null when it rests on none
 */
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
    calmMs: calmMsOf(memory, rule),
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
  noteEvent(alerts, memory, { kind: "fired", at: firedAt, by: null, text: null });
}

/** Returns the state of a rule's alert while nobody has acknowledged it. */
export const activeState = ({ condition }: Rule): Alert["state"] =>
  condition.type === "no_data" ? "no_data" : "firing";

/** Returns the part of a rule that its alerts carry. */
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

/**
 * Ends the active alert of a rule, puts the event into the outbox, and returns the alert as it ended. Resolved by
 * hand (`by_hand`), its rule is latched; else the rule is `ok`. The memory has to have an active alert.
 * @param resolvedAt epoch ms by the receipt clock, from which the cooldown runs
 * @param ending the reading that cleared it, and who resolved it with which words; null or absent what there is not
 */
export function end(
  alerts: AlertsState,
  memory: RuleMemory,
  resolution: Resolution,
  resolvedAt: number,
  { clearedBy = null, by = null, text = null }: Partial<Ending> = {},
): Alert {
  const change = { state: "resolved", resolvedAt, resolution, clearedBy } as const;
  if (memory.alert?.flapping) memory.firings = [];
  const ended = noteEvent(alerts, memory, { kind: "resolved", at: resolvedAt, by, text }, change);
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

/**
 * Replaces the active alert by a changed one of the next revision, puts the event into the outbox, and returns the
 * alert. The memory has to have an active alert. Alerts are never changed in place, because earlier events hold them.
 */
export function noteEvent(
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

/** Runs `change` and returns the events that it put into the outbox, where they stay. */
export function eventsOf(alerts: AlertsState, change: () => void): AlertEvent[] {
  const before = alerts.outbox.length;
  change();
  return alerts.outbox.slice(before);
}
