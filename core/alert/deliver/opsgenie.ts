// A message → a call of Opsgenie's alert API, also spoken by Jira Service Management and others.
import type { Severity } from "../../../schemas/alert.ts";
import type { Message, OutgoingRequest } from "./message.ts";
import { cut, json } from "./message.ts";

const PRIORITY: Record<Severity, string> = { critical: "P1", warning: "P3", info: "P5" };
/** Opsgenie's limit of an alert's message, in characters. */
const MESSAGE_CHARS_MAX = 130;
/** Opsgenie's limit of a description, in characters. */
const DESCRIPTION_CHARS_MAX = 15_000;
/** Opsgenie's limit of a tag, in characters. */
const TAG_CHARS_MAX = 50;

/**
 * Returns the request that creates or closes an alert. An alert at Opsgenie is an incident here, by `alias`: creating
 * it again raises its count, a resolve closes it.
 */
export function opsgenieRequest(
  message: Message,
  { url, apiKey }: { url: string; apiKey: string },
): OutgoingRequest {
  const { kind, severity, title, lines, snapshot, tenant, incidentLink } = message;
  const { incident, alerts } = snapshot;
  const headers = { authorization: `GenieKey ${apiKey}` };
  if (kind === "resolve") {
    const alias = encodeURIComponent(message.name);
    const close = { source: "Telltale", note: cut([title, ...lines].join("\n"), DESCRIPTION_CHARS_MAX) };
    return json(`${url.replace(/\/+$/, "")}/${alias}/close?identifierType=alias`, close, headers);
  }
  const chart = alerts[0] === undefined ? null : message.chartLink(alerts[0]);
  const links = {
    ...(incidentLink === null ? {} : { alert: incidentLink }),
    ...(chart === null ? {} : { chart }),
  };
  return json(
    url,
    {
      message: cut(title, MESSAGE_CHARS_MAX),
      alias: message.name,
      description: cut([title, ...lines, ...Object.values(links)].join("\n"), DESCRIPTION_CHARS_MAX),
      tags: [severity, incident.rule.id, incident.zone].map((tag) => cut(tag, TAG_CHARS_MAX)),
      details: {
        tenant,
        zone: incident.zone,
        rule: incident.rule.name,
        members: String(incident.members),
        active: String(incident.active),
        ...links,
      },
      entity: alerts.length === 1 ? alerts[0]!.device : incident.zone,
      source: "Telltale",
      priority: PRIORITY[severity],
    },
    headers,
  );
}
