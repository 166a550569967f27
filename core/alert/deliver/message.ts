// What a channel is told → title, lines and links, said once for all formats; and the plain request that a format makes of it.
import type { Alert, AlertReading, IncidentSnapshot, Severity } from "../../../schemas/alert.ts";
import type { Delivery } from "../../../schemas/channel.ts";
import { LIMITS_ZONE } from "../../../schemas/limits.ts";
import { oneLine } from "../../../schemas/one-line.ts";
import type { LimitName } from "../../../schemas/tenant-limit.ts";

/**
 * A `ChannelNotice` as a channel's object keeps it while it waits, with the number of members that were left out for
 * their size. PERSISTED; new fields need a default.
 */
export interface Notice {
  key: string;
  kind: Delivery["kind"];
  tenant: string;
  snapshot: IncidentSnapshot;
  omitted: number;
}

/** A request to a receiver. Whoever sends it adds headers that depend on the attempt, such as a signature. */
export interface OutgoingRequest {
  url: string;
  method: "POST";
  headers: Record<string, string>;
  body: string;
}

/** A notice in words and links, the same for all formats. */
export interface Message extends Notice {
  severity: Severity;
  /** Whether no earlier message of the incident was sent to this channel. */
  isFirst: boolean;
  /**
   * The name of the incident, `<incident>@<tenant>`, which no incident of any tenant shares: receivers know an alert
   * by one name.
   */
  name: string;
  /** One line of visible text of at most 400 characters, whatever names were stored. */
  title: string;
  /** A line for each of the first members, then how many more there are; each is one line of at most 600 characters. */
  lines: string[];
  /**
   * The dashboard's page about the incident; null when the deployment does not say where the dashboard is, or the incident
   * is a warning about a tenant's limit, which has no page.
   */
  incidentLink: string | null;
  /** Returns the dashboard's page about the alert's device and metric; null as `incidentLink` is. */
  chartLink(alert: Alert): string | null;
}

/** How many members a message to people lists; of the rest it says the number. */
const LISTED_MAX = 10;
/** The longest title, in characters: with the longest names there can be. Formats cut it further where they must. */
const TITLE_CHARS_MAX = 400;
/** The longest line about a member, in characters. */
const LINE_CHARS_MAX = 600;

/**
 * Returns a notice in words. `publicUrl` is where people open the dashboard, without a slash at its end; empty when
 * nobody said so, and then the message carries no links.
 */
export function messageOf(notice: Notice, publicUrl: string, isFirst: boolean): Message {
  const { snapshot, kind, tenant, omitted } = notice;
  const { incident, alerts, nameless = 0 } = snapshot;
  const link = (path: string) => (publicUrl === "" ? null : `${publicUrl}/#/${path}`);
  const listed = inOrder(alerts).slice(0, LISTED_MAX);
  const more = alerts.length + omitted - listed.length;
  return {
    ...notice,
    severity: incident.rule.severity,
    isFirst,
    name: `${incident.id}@${tenant}`,
    // Names that were stored before they were checked may have line ends, which end a header or a subject.
    title: cut(
      oneLine(
        `${PREFIX[kind]}${incident.rule.severity.toUpperCase()} · ${incident.rule.name} · ${whatOf(snapshot)}`,
      ),
      TITLE_CHARS_MAX,
    ),
    lines: [
      ...listed.map(lineOf),
      ...(nameless > 0 ? [deletedOf(nameless)] : []),
      ...(more > 0 ? [`and ${more} more`] : []),
    ].map((line) => cut(oneLine(line), LINE_CHARS_MAX)),
    incidentLink: incident.zone === LIMITS_ZONE ? null : link(`alerts/${encodeURIComponent(incident.id)}`),
    chartLink: ({ device, metric, zone }) => {
      if (zone === LIMITS_ZONE) return null;
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

/** The alerts that still fire, then the resolved ones, each half in the given order. */
const inOrder = (alerts: readonly Alert[]): Alert[] => [
  ...alerts.filter(({ state }) => state !== "resolved"),
  ...alerts.filter(({ state }) => state === "resolved"),
];

/** Members of whom only the number is known, because their device was deleted. */
const deletedOf = (count: number) => (count === 1 ? "a deleted device" : `${count} deleted devices`);

function whatOf({ incident, alerts, nameless }: IncidentSnapshot): string {
  const { zone, members, active, state } = incident;
  const [first] = alerts;
  if (first?.limit !== undefined) return `${first.device} uses ${limitOf(first.limit)}`;
  if (members === nameless) return `${deletedOf(members)} in ${zone}`;
  if (members === 1 && alerts.length === 1) return `${alerts[0]!.device} in ${zone}`;
  if (state === "resolved" || active === members) return `${members} devices in ${zone}`;
  return `${active} of ${members} devices in ${zone}`;
}

/** `8 of 10 devices`. */
const limitOf = ({ name, used, most }: NonNullable<Alert["limit"]>) =>
  `${numberOf(used)}${most === null ? "" : ` of ${numberOf(most)}`} ${LIMIT_WORDS[name]}`;

const LIMIT_WORDS: Record<LimitName, string> = {
  devices: "devices",
  storageBytes: "bytes of files",
  readingsPerSecond: "readings a second",
  viewers: "streams open at once",
};

/** What a warning about a limit says beside its title: what happens, and what to do. */
function limitLineOf({ device, resolvedAt, firedAt }: Alert, limit: NonNullable<Alert["limit"]>): string {
  const uses = `tenant ${device} uses ${limitOf(limit)}`;
  if (resolvedAt === null)
    return `${uses} at ${timeOf(firedAt)}, and what is more than the limit is refused: use less, or raise it (PUT /v1/tenant, limits.${limit.name})`;
  return `${uses} at ${timeOf(resolvedAt)}: ${limit.most === null ? "there is no limit any more" : "there is room again"}`;
}

/**
 * A member's line, such as `pump-1: temperature is 91.2, read 2026-11-22T10:00:00.000Z, received
 * 2026-11-22T10:00:01.000Z`.
 */
function lineOf(alert: Alert): string {
  const { device, state, resolution, resolvedAt, clearedBy, rule, limit } = alert;
  if (limit !== undefined) return limitLineOf(alert, limit);
  if (state !== "resolved") {
    const quality = [state === "acknowledged" ? "acknowledged" : "", alert.flapping ? "flapping" : ""];
    const notes = quality.filter((note) => note !== "").join(", ");
    return `${device}: ${causeOf(alert)}${notes === "" ? "" : ` (${notes})`}`;
  }
  const how = (resolution ?? "cleared").replaceAll("_", " ");
  const when = resolvedAt === null ? "" : ` at ${timeOf(resolvedAt)}`;
  return clearedBy === null || rule.condition.type === "hot"
    ? `${device}: ${how}${when}`
    : `${device}: ${how}${when}, ${nameOf(alert)} is ${readingOf(clearedBy)}`;
}

function causeOf(alert: Alert): string {
  const { reading, metric, rule } = alert;
  if (rule.condition.type === "hot" && reading !== null)
    return `sends ${numberOf(reading.value)} reports a second, more than it may, at ${timeOf(reading.receivedAt)}`;
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

/** Returns a number as text of at most six digits, which are enough for people. */
export const numberOf = (value: number) => String(Number(value.toPrecision(6)));

/** Returns an instant, epoch ms, as ISO 8601; one beyond the calendar as the number it is. */
export function timeOf(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime()) ? String(atMs) : date.toISOString();
}

/**
 * Returns at most `charsMax` characters of a text, the last an ellipsis where some are missing; no character is cut
 * in half.
 */
export const cut = (text: string, charsMax: number) =>
  text.length <= charsMax
    ? text
    : `${text
        .slice(0, charsMax - 1)
        .toWellFormed()
        .replace(/\uFFFD$/, "")}…`;

/** Returns a POST request with a JSON body. */
export const json = (url: string, body: unknown, headers: Record<string, string> = {}): OutgoingRequest => ({
  url,
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body),
});
