// What a device remembers of its rules and alerts, as plain data in its state row.
import type { Alert, AlertEvent, AlertReading, Rule } from "../../schemas/alert.ts";
import { type ConditionMemory, metricsOf } from "./condition/index.ts";
import { OK, type Phase } from "./transition.ts";

/** PERSISTED as JSON: new fields are optional, none changes meaning. */
export interface RuleMemory {
  phase: Phase;
  /** The newest instant decided by, of each metric of the condition; 0: none. */
  seen: number[];
  condition: ConditionMemory | null;
  /** Of a no-data rule: what was received last. */
  received: AlertReading | null;
  /** The active alert. */
  alert: Alert | null;
  /** When the last one ended, by our clock. */
  endedAt: number | null;
  /** When it last fired, by our clock: at most five, since the last time it flapped. */
  firings: number[];
}

/** PERSISTED as JSON in the device's state row: new fields are optional, none changes meaning. */
export interface AlertsState {
  /** Of the rules kept; half a version less after a move, so that the same one is taken again and an older one is not. */
  rulesVersion: number;
  /** Those that concern the device, by id. */
  rules: Rule[];
  /** By rule. */
  memory: Record<string, RuleMemory>;
  /** What the zone was not yet told, oldest first. */
  outbox: AlertEvent[];
  /** Episodes so far, of all rules: none is numbered twice, also when a rule goes and comes back. */
  episodes: number;
}

/** Of a device that has no rules yet. */
export const newAlerts = (): AlertsState => ({
  rulesVersion: 0,
  rules: [],
  memory: {},
  outbox: [],
  episodes: 0,
});

/** Who the alerts are about. */
export interface Subject {
  device: string;
  zone: string;
  model: string | null;
  gateway: string | null;
  generation: number;
}

/** What is remembered of a rule; begun when there is nothing. */
export function memoryOf({ memory }: AlertsState, { id, condition }: Rule): RuleMemory {
  // A rule may be called "constructor", which every object seems to have.
  if (!Object.hasOwn(memory, id)) {
    memory[id] = {
      phase: OK,
      seen: metricsOf(condition).map(() => 0),
      condition: null,
      received: null,
      alert: null,
      endedAt: null,
      firings: [],
    };
  }
  return memory[id]!;
}

/** The active alerts, by rule. */
export const activeAlerts = (alerts: AlertsState): Alert[] =>
  alerts.rules.map((rule) => memoryOf(alerts, rule).alert).filter((alert) => alert !== null);

/** Takes what the zone has out of the outbox. */
export function forgetTold(alerts: AlertsState, told: readonly AlertEvent[]): void {
  const keyOf = ({ alert }: AlertEvent) => `${alert.revision} ${alert.id}`;
  const keys = new Set(told.map(keyOf));
  alerts.outbox = alerts.outbox.filter((event) => !keys.has(keyOf(event)));
}
