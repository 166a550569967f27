// A message → Prometheus Alertmanager's POST /api/v2/alerts: every member as an alert of its own, so that existing routing works.
import type { Message, OutgoingRequest } from "./message.ts";
import { json, timeOf } from "./message.ts";

/**
 * Alertmanager ends an alert that names no end five minutes after it was last told of it, and expects to be told again
 * and again. We tell once: an end so far ahead keeps the alert until our resolve moves its end to when it was.
 */
const ACTIVE_FOR_MS = 10 * 365 * 86_400_000;

export function alertmanagerRequest(
  message: Message,
  { url, token }: { url: string; token?: string | undefined },
): OutgoingRequest {
  const { tenant, snapshot, title, incidentLink } = message;
  const { incident, alerts } = snapshot;
  const body = alerts.map((alert) => {
    const chart = message.chartLink(alert);
    const { device, zone, firedAt, resolvedAt, reading, rule, state } = alert;
    const isOver = state === "resolved" || incident.state === "resolved";
    const endedAt = Math.max(firedAt, resolvedAt ?? incident.resolvedAt ?? firedAt);
    return {
      labels: {
        alertname: rule.name,
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
      endsAt: timeOf(isOver ? endedAt : firedAt + ACTIVE_FOR_MS),
      // A reference that is no URL is refused, so none is given while nobody said where the dashboard is.
      ...(chart === null ? {} : { generatorURL: chart }),
    };
  });
  return json(
    `${url.replace(/\/+$/, "")}/api/v2/alerts`,
    body,
    token === undefined ? {} : { authorization: `Bearer ${token}` },
  );
}
