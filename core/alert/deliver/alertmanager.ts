// A message → Prometheus Alertmanager's POST /api/v2/alerts: every member as an alert of its own, so that existing routing works.
import { oneLine } from "../../../schemas/one-line.ts";
import type { Message, OutgoingRequest } from "./message.ts";
import { json, timeOf } from "./message.ts";

/**
 * How far ahead the end of an active alert is set, in ms. Alertmanager keeps its alerts in memory and ends each at its
 * end, so whoever sends them says them again and again (Prometheus each minute, four minutes ahead): a restart of
 * Alertmanager loses none for longer than `POSTED_EVERY_MS`, and four posts may be lost before one ends.
 */
const ACTIVE_FOR_MS = 5 * 60_000;
/** How often a channel posts its active alerts again, in ms. */
export const POSTED_EVERY_MS = 60_000;
/** The most alerts in one request, some 700 KB; what is more goes with further requests. */
const ALERTS_PER_REQUEST_MAX = 1_000;

interface Alertmanager {
  url: string;
  token?: string | undefined;
}

/** Returns the request that posts every member as an alert at `nowMs`; without `token` it carries no authorization. */
export const alertmanagerRequest = (message: Message, target: Alertmanager, nowMs: number): OutgoingRequest =>
  post(alertsOf(message, nowMs), target);

/** Returns the requests that post the members of all these messages at `nowMs`: one for each thousand of them. */
export function alertmanagerRequests(
  messages: readonly Message[],
  target: Alertmanager,
  nowMs: number,
): OutgoingRequest[] {
  const alerts = messages.flatMap((message) => alertsOf(message, nowMs));
  const requests: OutgoingRequest[] = [];
  for (let i = 0; i < alerts.length; i += ALERTS_PER_REQUEST_MAX)
    requests.push(post(alerts.slice(i, i + ALERTS_PER_REQUEST_MAX), target));
  return requests;
}

const post = (alerts: unknown[], { url, token }: Alertmanager): OutgoingRequest =>
  json(
    `${url.replace(/\/+$/, "")}/api/v2/alerts`,
    alerts,
    token === undefined ? {} : { authorization: `Bearer ${token}` },
  );

function alertsOf(message: Message, nowMs: number): object[] {
  const { tenant, snapshot, title, incidentLink } = message;
  const { incident, alerts } = snapshot;
  return alerts.map((alert) => {
    const chart = message.chartLink(alert);
    const { device, zone, firedAt, resolvedAt, reading, rule, state } = alert;
    const isOver = state === "resolved" || incident.state === "resolved";
    const endedAt = Math.max(firedAt, resolvedAt ?? incident.resolvedAt ?? firedAt);
    return {
      labels: {
        alertname: oneLine(rule.name),
        device,
        zone,
        severity: rule.severity,
        rule: rule.id,
        tenant,
        incident: incident.id,
      },
      annotations: {
        summary: title,
        ...(reading === null
          ? {}
          : {
              value: String(reading.value),
              read_at: timeOf(reading.at),
              received_at: timeOf(reading.receivedAt),
            }),
        ...(incidentLink === null ? {} : { alert: incidentLink }),
        ...(chart === null ? {} : { chart }),
      },
      startsAt: timeOf(firedAt),
      endsAt: timeOf(isOver ? endedAt : Math.max(nowMs, firedAt) + ACTIVE_FOR_MS),
      // A reference that is no URL is refused, so none is given while nobody said where the dashboard is.
      ...(chart === null ? {} : { generatorURL: chart }),
    };
  });
}
