// What a channel is told → title, lines and links, said once for all formats; and the plain request that a format makes of it.
import type { Alert, AlertReading, IncidentSnapshot, Severity } from "../../../schemas/alert.ts";
import type { Delivery } from "../../../schemas/channel.ts";

/**
 * PERSISTED: in the channel's object, while it waits; new fields need a default. `ChannelNotice` as it is kept: with
 * the number of members that were left out for their size.
 */
export interface Notice {
  key: string;
  kind: Delivery["kind"];
  tenant: string;
  snapshot: IncidentSnapshot;
  omitted: number;
}

/** A request to a receiver; whoever sends it adds what only an attempt knows. */
export interface OutgoingRequest {
  url: string;
  method: "POST";
  headers: Record<string, string>;
  body: string;
}

export interface Message extends Notice {
  severity: Severity;
  /** False: an earlier message of the incident was sent to this channel. */
  isFirst: boolean;
  /** The incident among all of all tenants, for receivers that know one alert by one name. */
  name: string;
  title: string;
  /** A line a member, the first of them, and how many more there are. */
  lines: string[];
  /** Null: nobody said where the dashboard is. */
  incidentLink: string | null;
  chartLink(alert: Alert): string | null;
}

/** Members that a message to people lists; the rest is a number. */
const LISTED_MAX = 10;

/** `publicUrl`: where people open the dashboard, without a slash at its end; empty: messages carry no links. */
export function messageOf(notice: Notice, publicUrl: string, isFirst: boolean): Message {
  const { snapshot, kind, tenant, omitted } = notice;
  const { incident, alerts } = snapshot;
  const link = (path: string) => (publicUrl === "" ? null : `${publicUrl}/#/${path}`);
  const listed = inOrder(alerts).slice(0, LISTED_MAX);
  const more = alerts.length + omitted - listed.length;
  return {
    ...notice,
    severity: incident.rule.severity,
    isFirst,
    name: `${incident.id}@${tenant}`,
    title: `${PREFIX[kind]}${incident.rule.severity.toUpperCase()} · ${incident.rule.name} · ${whatOf(snapshot)}`,
    lines: [...listed.map(lineOf), ...(more > 0 ? [`and ${more} more`] : [])],
    incidentLink: link(`alerts/${encodeURIComponent(incident.id)}`),
    chartLink: ({ device, metric }) => {
      const query = metric === null ? "" : `?${new URLSearchParams({ metric })}`;
      return link(`devices/${encodeURIComponent(device)}${query}`);
    },
  };
}

const PREFIX: Record<Notice["kind"], string> = {
  fire: "",
  update: "Update: ",
  escalate: "Nobody has acknowledged: ",
  resolve: "Resolved: ",
  test: "Test: ",
};

/** Those that still fire first, each half as it came. */
const inOrder = (alerts: readonly Alert[]): Alert[] => [
  ...alerts.filter(({ state }) => state !== "resolved"),
  ...alerts.filter(({ state }) => state === "resolved"),
];

function whatOf({ incident, alerts }: IncidentSnapshot): string {
  const { zone, members, active, state } = incident;
  if (members === 1 && alerts.length === 1) return `${alerts[0]!.device} in ${zone}`;
  if (state === "resolved" || active === members) return `${members} devices in ${zone}`;
  return `${active} of ${members} devices in ${zone}`;
}

/** `pump-1: temperature is 91.2, read 2026-11-22T10:00:00.000Z, received 2026-11-22T10:00:01.000Z` */
function lineOf(alert: Alert): string {
  const { device, state, resolution, resolvedAt, clearedBy } = alert;
  if (state !== "resolved") {
    const quality = [state === "acknowledged" ? "acknowledged" : "", alert.flapping ? "flapping" : ""];
    const notes = quality.filter((note) => note !== "").join(", ");
    return `${device}: ${causeOf(alert)}${notes === "" ? "" : ` (${notes})`}`;
  }
  const how = (resolution ?? "cleared").replaceAll("_", " ");
  const when = resolvedAt === null ? "" : ` at ${timeOf(resolvedAt)}`;
  return clearedBy === null
    ? `${device}: ${how}${when}`
    : `${device}: ${how}${when}, ${nameOf(alert)} is ${readingOf(clearedBy)}`;
}

function causeOf(alert: Alert): string {
  const { reading, metric, rule } = alert;
  if (rule.condition.type !== "no_data")
    return reading === null
      ? `${nameOf(alert)} since ${timeOf(alert.firedAt)}`
      : `${nameOf(alert)} is ${readingOf(reading)}`;
  const of = metric === null ? "" : ` of ${metric}`;
  return reading === null
    ? `no data${of}`
    : `no data${of}, the last one was received ${timeOf(reading.receivedAt)}`;
}

function nameOf({ metric, rule }: Alert): string {
  if (rule.condition.type !== "expression") return metric ?? "it";
  const { left, operator, right } = rule.condition;
  return `${left} ${operator} ${right}`;
}

const readingOf = ({ value, at, receivedAt }: AlertReading) =>
  `${numberOf(value)}, read ${timeOf(at)}, received ${timeOf(receivedAt)}`;

/** Six digits are enough for people. */
export const numberOf = (value: number) => String(Number(value.toPrecision(6)));

/** An instant as ISO 8601; one that no calendar has, as the number it is. */
export function timeOf(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime()) ? String(atMs) : date.toISOString();
}

/** At most so many characters, and an ellipsis where some are missing. */
export const cut = (text: string, charsMax: number) =>
  text.length <= charsMax
    ? text
    : `${text
        .slice(0, charsMax - 1)
        .toWellFormed()
        .replace(/\uFFFD$/, "")}…`;

export const json = (url: string, body: unknown, headers: Record<string, string> = {}): OutgoingRequest => ({
  url,
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});
