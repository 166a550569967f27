// An incident and the tenant's channels → those a message goes to.
import type { Incident, NoticeMessage } from "../../../schemas/alert.ts";
import type { Channel, Route } from "../../../schemas/channel.ts";
import { hoursBeginAt, isWithin } from "./hours.ts";

/**
 * Whether a route takes an incident of this severity and zone at `nowMs`; fields that the route does not have take
 * all.
 */
export function fits(route: Route, { zone, rule }: Pick<Incident, "zone" | "rule">, nowMs: number): boolean {
  return (
    (route.severities?.includes(rule.severity) ?? true) &&
    (route.zones?.includes(zone) ?? true) &&
    (route.hours === undefined || isWithin(route.hours, nowMs))
  );
}

/**
 * Returns when the first channel opens for a message that none takes at `nowMs` because of its hours, epoch ms;
 * undefined when none will, or the message or its rule names the channels.
 */
export function firstOpeningAt(
  { channels: named }: Pick<NoticeMessage, "channels">,
  incident: Incident,
  channels: readonly Channel[],
  nowMs: number,
): number | undefined {
  if ((named ?? incident.rule.channels) !== null) return undefined;
  const closed = channels.filter(
    ({ enabled, route: { hours: _, ...route } }) => enabled && fits(route, incident, nowMs),
  );
  const openings = closed.flatMap(({ route }) => route.hours ?? []).map((own) => hoursBeginAt(own, nowMs));
  return openings.length === 0 ? undefined : Math.min(...openings);
}

/**
 * Returns the channels that are to have a message which those in `refusedBy` could not deliver: the others it is for,
 * who have it anyhow; without one, the tenant's other channels whose route takes it; and without one of those, when it
 * is critical, every other channel, for somebody has to know. Disabled channels get nothing.
 */
export function chooseInstead(
  notice: Pick<NoticeMessage, "kind" | "channels">,
  incident: Incident,
  channels: readonly Channel[],
  refusedBy: ReadonlySet<string>,
  nowMs: number,
): Channel[] {
  const left = channels.filter(({ id, enabled }) => enabled && !refusedBy.has(id));
  const others = chooseChannels(notice, incident, left, nowMs).channels;
  if (others.length > 0) return others;
  const taking = left.filter(({ route }) => fits(route, incident, nowMs));
  return taking.length === 0 && incident.rule.severity === "critical" ? left : taking;
}

/** The channels that a message is handed to. */
export interface Chosen {
  channels: Channel[];
  /** Ids that the rule or the escalation step names and that no channel has. */
  unknown: string[];
}

/**
 * Returns the channels that a message is handed to: those its escalation step names, else those its rule names, else
 * those whose route takes it. A resolve is handed to all, because each channel knows whether it told of the incident.
 * Disabled channels get nothing.
 */
export function chooseChannels(
  { kind, channels: named }: Pick<NoticeMessage, "kind" | "channels">,
  incident: Incident,
  channels: readonly Channel[],
  nowMs: number,
): Chosen {
  const enabled = channels.filter((channel) => channel.enabled);
  if (kind === "resolve") return { channels: enabled, unknown: [] };
  const ids = named ?? incident.rule.channels;
  if (ids === null) {
    return { channels: enabled.filter(({ route }) => fits(route, incident, nowMs)), unknown: [] };
  }
  return {
    channels: enabled.filter(({ id }) => ids.includes(id)),
    unknown: ids.filter((id) => channels.every((channel) => channel.id !== id)),
  };
}
