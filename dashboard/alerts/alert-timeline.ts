// The members of an incident, and the histories read of some → one timeline of who did what and when. Pure.
import type { Alert, AlertEventKind, Refusal } from "../../schemas/alert.ts";
import type { AlertDetail } from "../../schemas/alert-http.ts";

export interface TimelineEntry {
  kind: AlertEventKind | "refused";
  at: number;
  by: string | null;
  text: string | null;
  /** Of a message that was refused, none. */
  devices: string[];
  /** Of a message that was refused, which channel refused it and which have it instead. */
  refused?: string;
}

/** What was done to all members at once reaches each at its own moment: within this it is one entry. */
const TOGETHER_MS = 60_000;
/** A history costs a question; the members that lasted longest have seen the most. */
const READ_MAX = 3;

/** Whose histories to read: those that lasted longest, and the one that was asked for. */
export function representativesOf(alerts: readonly Alert[], asked: string | null, nowMs: number): string[] {
  const lasted = ({ firedAt, resolvedAt }: Alert) => (resolvedAt ?? nowMs) - firedAt;
  const longest = alerts.toSorted((a, b) => lasted(b) - lasted(a)).slice(0, READ_MAX);
  return [...new Set([...(asked === null ? [] : [asked]), ...longest.map(({ id }) => id)])];
}

/** Newest first. What people wrote is known of the members whose history was read; the rest every alert says itself. */
export function timelineOf(
  alerts: readonly Alert[],
  histories: ReadonlyMap<string, AlertDetail["history"]>,
  refusals: readonly Refusal[] = [],
): TimelineEntry[] {
  const events = alerts.flatMap((alert) => {
    const told = histories.get(alert.id) ?? [];
    const missing = impliedBy(alert).filter(({ kind }) => told.every((event) => event.kind !== kind));
    return [...told, ...missing].map(({ kind, at, by, text }) => ({
      kind,
      at,
      by,
      text,
      device: alert.device,
    }));
  });
  events.sort((a, b) => a.at - b.at);
  const entries: TimelineEntry[] = [];
  for (const { device, ...event } of events) {
    const same = entries.findLast((entry) => isTogether(entry, event));
    if (same === undefined) entries.push({ ...event, devices: [device] });
    else {
      same.text ??= event.text;
      if (!same.devices.includes(device)) same.devices.push(device);
    }
  }
  const refused = refusals.map((own) => ({
    ...{ kind: "refused" as const, at: own.at, by: null, text: own.error, devices: [] },
    refused: refusedInWords(own),
  }));
  return [...entries, ...refused].sort((a, b) => a.at - b.at).reverse();
}

/** `mail could not deliver a message; ops has it instead`. */
function refusedInWords({ channel, instead }: Refusal): string {
  const what = `${channel} could not deliver a message`;
  if (instead === null) return what;
  const [first] = instead;
  if (first === undefined) return `${what}, and there is no other channel for it`;
  return `${what}; ${instead.join(", ")} ${instead.length === 1 ? "has" : "have"} it instead`;
}

type Event = Omit<TimelineEntry, "devices" | "refused">;

function isTogether(entry: TimelineEntry, event: Event): boolean {
  const isSame = entry.kind === event.kind && entry.by === event.by;
  const agrees = entry.text === event.text || entry.text === null || event.text === null;
  return isSame && agrees && event.at - entry.at < TOGETHER_MS;
}

/** What an alert says of its own past. Who resolved one by hand only its history knows. */
function impliedBy(alert: Alert): Event[] {
  const { firedAt, acknowledgedAt, acknowledgedBy, resolvedAt, resolution } = alert;
  const event = (kind: AlertEventKind, at: number, by: string | null) => ({ kind, at, by, text: null });
  return [
    event("fired", firedAt, null),
    ...(acknowledgedAt === null ? [] : [event("acknowledged", acknowledgedAt, acknowledgedBy)]),
    ...(resolvedAt === null || resolution === "by_hand" ? [] : [event("resolved", resolvedAt, null)]),
  ];
}
