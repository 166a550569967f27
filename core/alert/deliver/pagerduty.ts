// A message → an event of PagerDuty's Events API v2.
import type { Message, OutgoingRequest } from "./message.ts";
import { cut, json, timeOf } from "./message.ts";

/** PagerDuty's limit of a summary, in characters. */
const SUMMARY_CHARS_MAX = 1_024;
/** PagerDuty's limit of a deduplication key, in characters. */
const KEY_CHARS_MAX = 255;
/** How many devices an event names: PagerDuty takes events of 512 KB, and names may take a share of that. */
const DEVICES_MAX = 1_000;

/**
 * Returns the request with an event about a message. An alert at PagerDuty is an incident here, by `dedup_key`: later
 * triggers join it, a resolve closes it. An update of an incident that a person has acknowledged here must not page
 * again, so it is sent as an acknowledgement.
 */
export function pagerdutyRequest(
  message: Message,
  { url, routingKey }: { url: string; routingKey: string },
): OutgoingRequest {
  const { kind, severity, title, lines, snapshot, tenant, incidentLink } = message;
  const { incident, alerts } = snapshot;
  const isAcknowledged = kind === "update" && !message.isFirst && incident.state === "acknowledged";
  const action = kind === "resolve" ? "resolve" : isAcknowledged ? "acknowledge" : "trigger";
  const charts = alerts.slice(0, 1).map((alert) => ({ href: message.chartLink(alert), text: "Chart" }));
  const links = [{ href: incidentLink, text: "Alert" }, ...charts].filter(({ href }) => href !== null);
  return json(url, {
    routing_key: routingKey,
    event_action: action,
    dedup_key: cut(message.name, KEY_CHARS_MAX),
    payload: {
      summary: cut(title, SUMMARY_CHARS_MAX),
      source: alerts.length === 1 ? alerts[0]!.device : incident.zone,
      severity,
      timestamp: timeOf(incident.openedAt),
      component: incident.rule.id,
      group: incident.zone,
      class: incident.rule.condition.type,
      custom_details: {
        tenant,
        incident: incident.id,
        members: incident.members,
        active: incident.active,
        alerts: lines,
        devices: alerts.slice(0, DEVICES_MAX).map(({ device }) => device),
      },
    },
    client: "Telltale",
    ...(incidentLink === null ? {} : { client_url: incidentLink }),
    links,
  });
}
