// An incident and the tenant's channels → those a message goes to.
import type { Incident, NoticeMessage } from "../../../schemas/alert.ts";
import type { Channel, Route } from "../../../schemas/channel.ts";
import { isWithin } from "./hours.ts";

/** Whether a channel takes this severity and zone at this instant; what the route does not name does not matter. */
export function fits(route: Route, { zone, rule }: Pick<Incident, "zone" | "rule">, nowMs: number): boolean {
  return (
    (route.severities?.includes(rule.severity) ?? true) &&
    (route.zones?.includes(zone) ?? true) &&
    (route.hours === undefined || isWithin(route.hours, nowMs))
  );
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
