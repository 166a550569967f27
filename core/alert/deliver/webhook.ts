// A message → our own documented JSON, docs/webhooks.md; it is signed when it is sent.
import type { Message, OutgoingRequest } from "./message.ts";
import { json } from "./message.ts";

/** Every member in full, each with its chart. PERSISTED at every receiver: fields are only added within a version. */
export function webhookRequest(message: Message, { url }: { url: string }): OutgoingRequest {
  const { key, kind, tenant, title, snapshot, omitted, incidentLink } = message;
  return json(
    url,
    {
      version: 1,
      key,
      kind,
      tenant,
      title,
      incident: snapshot.incident,
      alerts: snapshot.alerts.map((alert) => ({ ...alert, links: { chart: message.chartLink(alert) } })),
      omitted,
      links: { incident: incidentLink },
    },
    { "idempotency-key": key },
  );
}

/** What the signature of an attempt covers. */
export const signedText = (timestampMs: number, body: string) => `${timestampMs}.${body}`;
