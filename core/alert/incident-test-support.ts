// What the tests of incidents share: alerts made short, a book in memory, and a zone that is played through time.
import type { Alert, AlertEvent, Incident } from "../../schemas/alert.ts";
import {
  applyEvents,
  applyTime,
  type IncidentBook,
  type IncidentRecord,
  incidentDueAt,
  type Member,
  type Outcome,
} from "./incident.ts";
import { isNoData } from "./incident-gateway.ts";

export const T0 = Date.UTC(2026, 10, 22, 10);

const THRESHOLD: Alert["rule"]["condition"] = { type: "threshold", metric: "pm", above: 50 };
const NO_DATA: Alert["rule"]["condition"] = { type: "no_data", afterMs: 60_000 };

type AlertPlan = Partial<Omit<Alert, "rule">> & { rule?: Partial<Alert["rule"]> };

/** An alert as it fires at `T0 + firedMs`; with `gateway` it is a no-data alert. */
export function firing(device: string, firedMs = 0, { rule, ...plan }: AlertPlan = {}): Alert {
  const isNoData = plan.gateway !== undefined || rule?.condition?.type === "no_data";
  return {
    id: `${rule?.id ?? (isNoData ? "silent" : "hot")}.0.1.${device}`,
    revision: 1,
    state: isNoData ? "no_data" : "firing",
    device,
    zone: "north",
    model: null,
    gateway: null,
    metric: isNoData ? null : "pm",
    firedAt: T0 + firedMs,
    reading: { at: T0 + firedMs, receivedAt: T0 + firedMs, value: 51 },
    flapping: false,
    acknowledgedAt: null,
    acknowledgedBy: null,
    assignee: null,
    resolvedAt: null,
    resolution: null,
    clearedBy: null,
    ...plan,
    rule: {
      id: isNoData ? "silent" : "hot",
      version: 1,
      name: "hot",
      condition: isNoData ? NO_DATA : THRESHOLD,
      severity: "warning",
      groupWithinMs: 60_000,
      channels: null,
      escalation: [],
      ...rule,
    },
  };
}

/** A no-data alert of a device that reports through `gateway`, or of a gateway. */
export const silent = (device: string, firedMs = 0, gateway: string | null = null) =>
  firing(device, firedMs, { gateway });

export const fired = (alert: Alert): AlertEvent => eventOf("fired", alert, alert.firedAt, null);

export const acknowledged = (alert: Alert, atMs: number, by = "ada"): AlertEvent => {
  const at = { state: "acknowledged", acknowledgedAt: T0 + atMs, acknowledgedBy: by } as const;
  return eventOf("acknowledged", { ...alert, revision: alert.revision + 1, ...at }, T0 + atMs, by);
};

export const resolved = (alert: Alert, atMs: number): AlertEvent => {
  const at = { state: "resolved", resolvedAt: T0 + atMs, resolution: "cleared" } as const;
  return eventOf("resolved", { ...alert, revision: alert.revision + 1, ...at }, T0 + atMs, null);
};

export const commented = (alert: Alert, atMs: number): AlertEvent => ({
  ...eventOf("commented", { ...alert, revision: alert.revision + 1 }, T0 + atMs, "ada"),
  text: "seen",
});

const eventOf = (kind: AlertEvent["kind"], alert: Alert, at: number, by: string | null): AlertEvent => ({
  kind,
  at,
  by,
  text: null,
  alert,
});

/** What a zone's SQLite does, in two maps. */
class MemoryBook implements IncidentBook {
  readonly incidents = new Map<number, IncidentRecord>();
  readonly members = new Map<string, Member>();
  #drawn = 0;

  draw = () => ++this.#drawn;
  incident = (number: number) => structuredClone(this.incidents.get(number));
  open = (rule: string) =>
    [...this.incidents.values()]
      .filter(({ incident }) => incident.rule.id === rule && incident.resolvedAt === null)
      .map(({ number }) => number)
      .reverse();
  member = (alert: string) => this.members.get(alert);
  isEnded = () => false;
  noDataAlert = (device: string) =>
    [...this.members.values()].find(
      ({ alert }) => alert.device === device && alert.resolvedAt === null && isNoData(alert),
    )?.alert;
  quietBehind = (gateway: string) =>
    [...this.members.values()].filter(({ alert, quiet }) => alert.gateway === gateway && quiet !== null);
  due = (nowMs: number) => ({
    members: [...this.members.values()].filter(({ dueAt }) => dueAt !== null && dueAt <= nowMs),
    incidents: [...this.incidents.values()]
      .filter((record) => (incidentDueAt(record) ?? Number.POSITIVE_INFINITY) <= nowMs)
      .map(({ number }) => number),
  });
  putIncident = (record: IncidentRecord) => void this.incidents.set(record.number, structuredClone(record));
  putMember = (member: Member) => void this.members.set(member.alert.id, structuredClone(member));

  nextAt(): number | null {
    const times = [
      ...[...this.members.values()].map(({ dueAt }) => dueAt),
      ...[...this.incidents.values()].map(incidentDueAt),
    ].filter((at) => at !== null);
    return times.length === 0 ? null : Math.min(...times);
  }
}

/** A zone whose alarm rings exactly when it is due. Notices are `<seconds since T0> <key>`. */
export class PlayedZone {
  readonly book = new MemoryBook();
  readonly notices: string[] = [];
  readonly channels: unknown[] = [];

  /** Events that come at `T0 + atMs`, after all that was due before. */
  at(atMs: number, ...events: AlertEvent[]): Outcome {
    this.until(atMs);
    return this.#note(atMs, applyEvents(this.book, "north", events, T0 + atMs));
  }

  until(atMs: number): this {
    for (let next = this.book.nextAt(); next !== null && next <= T0 + atMs; next = this.book.nextAt()) {
      this.#note(next - T0, applyTime(this.book, "north", next));
    }
    return this;
  }

  /** As `until`, of a zone whose alarm rings at `T0 + atMs` for all that was due before, because it was away. */
  awayUntil(atMs: number): this {
    this.#note(atMs, applyTime(this.book, "north", T0 + atMs));
    return this;
  }

  incidents(): Incident[] {
    return [...this.book.incidents.values()].map(({ incident }) => incident);
  }

  #note(atMs: number, outcome: Outcome): Outcome {
    for (const { key, channels } of outcome.notices) {
      this.notices.push(`${atMs / 1000} ${key}`);
      this.channels.push(channels);
    }
    return outcome;
  }
}
