// What a channel was told of an incident, and another message of it → whether that says anything new.
import type { Alert, Severity } from "../../../schemas/alert.ts";
import type { Notice } from "./message.ts";

/** A member as a message tells it; of a muted one nobody is told, although messages list it. */
type Told = "active" | "muted" | "resolved";

/** What messages that were sent told of an incident. PERSISTED as JSON; new fields are optional. */
export interface Said {
  severity: Severity;
  /** By the alert's id. At most as many as an incident has members. */
  members: Record<string, Told>;
  /** How many members the incident had, and how many of them were active, with the last message. */
  counted: [members: number, active: number];
}

const toldOf = ({ id, state }: Alert, muted: ReadonlySet<string>): Told => {
  if (state === "resolved") return "resolved";
  return muted.has(id) ? "muted" : "active";
};

/** Returns what is said of an incident with one more message of it; `before` null: it was the first. */
export function saidWith(before: Said | null, { snapshot }: Notice): Said {
  const { incident, alerts, muted = [] } = snapshot;
  const unheard = new Set(muted);
  return {
    severity: incident.rule.severity,
    members: {
      ...before?.members,
      ...Object.fromEntries(alerts.map((alert) => [alert.id, toldOf(alert, unheard)])),
    },
    counted: [incident.members, incident.active],
  };
}

/**
 * Whether a message says anything of its incident that was not said before: a member, its end, or another severity.
 * That somebody acknowledged or commented is no reason for a message. A resolve ends what a receiver has open, and an
 * escalation step is one of its own: both always say something.
 */
export function isNews(before: Said | null, { kind, snapshot, omitted }: Notice): boolean {
  if (before === null || (kind !== "fire" && kind !== "update")) return true;
  const { incident, alerts, muted = [] } = snapshot;
  if (incident.rule.severity !== before.severity) return true;
  // Of members that were left out for their size only the numbers are known.
  const [members, active] = before.counted;
  if (omitted > 0 && (incident.members > members || incident.active !== active)) return true;
  const unheard = new Set(muted);
  return alerts.some((alert) => {
    const told = before.members[alert.id];
    const now = toldOf(alert, unheard);
    if (now === "muted" || told === now) return false;
    return !(told === "muted" && now === "resolved");
  });
}
