// What a device remembers of its rules and alerts, as plain data in its state row.
import type { Alert, AlertEvent, AlertReading, Rule } from "../../schemas/alert.ts";
import { type ConditionMemory, metricsOf } from "./condition/index.ts";
import type { Together } from "./together.ts";
import { OK, type Phase } from "./transition.ts";

/** What a device remembers of one rule. PERSISTED as JSON: new fields are optional, none changes meaning. */
export interface RuleMemory {
  phase: Phase;
  /** The newest instant decided by, epoch ms, of each metric of the condition; 0 when there is none. */
  seen: number[];
  /** Of a rule whose breach has to last, the newest reading and the silence before it; absent: none yet. */
  together?: Together;
  /** What the condition remembers of readings; null when nothing. */
  condition: ConditionMemory | null;
  /** Of a no-data rule, what was received last; null when nothing was, and for other rules. */
  received: AlertReading | null;
  /** Of a no-data rule, since when it watches the device, epoch ms by the receipt clock; absent: for ever. */
  watchedFrom?: number;
  /**
   * Of a no-data rule, the time it gave again because we were away: since when it counts, epoch ms by the receipt
   * clock, after which receipt (`last`), and how often it did after that one. Absent: never.
   */
  again?: { last: number; from: number; times: number };
  /** The active alert; null when there is none. */
  alert: Alert | null;
  /** When the rule's last alert ended, epoch ms by the receipt clock; null when none has. */
  endedAt: number | null;
  /**
   * When the rule last fired, epoch ms by the receipt clock, ascending: at most five instants, since it last stopped
   * flapping.
   */
  firings: number[];
}

/**
 * What a device remembers of its rules and alerts. PERSISTED as JSON in the device's state row: new fields are
 * optional, none changes meaning.
 */
export interface AlertsState {
  /** The version of the tenant's rules that `rules` are from; 0 when there are none yet. */
  rulesVersion: number;
  /**
   * Whether the device has moved, or is of another model, since the rules were taken, so that the same version has to
   * be taken again; false when absent.
   */
  rulesAreStale?: boolean;
  /** The rules that concern the device, in the order of their ids. */
  rules: Rule[];
  /** By the rule's id; absent for a rule that has decided nothing. */
  memory: Record<string, RuleMemory>;
  /** Events that the zone has not confirmed, oldest first. */
  outbox: AlertEvent[];
  /** How many episodes there were, of all rules: no number is used twice, even when a rule goes and comes back. */
  episodes: number;
}

/** Returns the state of a device that has no rules yet. */
export const newAlerts = (): AlertsState => ({
  rulesVersion: 0,
  rules: [],
  memory: {},
  outbox: [],
  episodes: 0,
});

/** Which version of the tenant's rules a device has, and whether they are stale. */
export type RulesMark = Pick<AlertsState, "rulesVersion" | "rulesAreStale">;

/**
 * Whether rules of this version are to replace those a device has: newer ones, or the same version when those are
 * stale.
 */
export const isNewerThan = ({ rulesVersion, rulesAreStale = false }: RulesMark, version: number): boolean =>
  version > rulesVersion || (rulesAreStale && version === rulesVersion);

/** The device that alerts are about. `model` and `gateway` are null when the registry names none. */
export interface Subject {
  device: string;
  zone: string;
  model: string | null;
  gateway: string | null;
  generation: number;
}

/** Returns the memory of a rule; one that is missing is begun in `alerts`. */
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

/** Returns the device's active alerts, in the order of its rules. */
export const activeAlerts = (alerts: AlertsState): Alert[] =>
  alerts.rules.map((rule) => memoryOf(alerts, rule).alert).filter((alert) => alert !== null);

/**
 * Returns the zones that know, or will be told, of an alert of the device that is active, or of an event that waits.
 */
export const zonesOfAlerts = (alerts: AlertsState): Set<string> =>
  new Set([...activeAlerts(alerts), ...alerts.outbox.map(({ alert }) => alert)].map(({ zone }) => zone));

/** Takes the events that the zone has confirmed out of the outbox, by the alert's id and revision. */
export function forgetTold(alerts: AlertsState, told: readonly AlertEvent[]): void {
  const keyOf = ({ alert }: AlertEvent) => `${alert.revision} ${alert.id}`;
  const keys = new Set(told.map(keyOf));
  alerts.outbox = alerts.outbox.filter((event) => !keys.has(keyOf(event)));
}
