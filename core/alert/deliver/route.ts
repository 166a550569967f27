// An incident and the tenant's channels → those a message goes to.
import type { Incident, NoticeMessage } from "../../../schemas/alert.ts";
import type { Channel, Route } from "../../../schemas/channel.ts";
import { hoursBeginAt, isWithin } from "./hours.ts";

/** Whether a channel takes this severity and zone at this instant; what the route does not name does not matter. */
export function fits(route: Route, { zone, rule }: Pick<Incident, "zone" | "rule">, nowMs: number): boolean {
  return (
    (route.severities?.includes(rule.severity) ?? true) &&
    (route.zones?.includes(zone) ?? true) &&
    (route.hours === undefined || isWithin(route.hours, nowMs))
  );
}

/**
 * When the first channel begins to take what none takes now, because of its hours; undefined: never, or the message names
 * its channels.
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

export interface Chosen {
  channels: Channel[];
  /** Named by the rule or the step, but not there. */
  unknown: string[];
}

/**
 * Who is handed a message: the channels its escalation step names, else its rule, else those whose route takes it. A
 * resolve is handed to all: each knows whether it told of the incident. Disabled channels are told nothing.
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
