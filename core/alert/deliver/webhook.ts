// A message → our own documented JSON, docs/webhooks.md; it is signed when it is sent.
import type { Message, OutgoingRequest } from "./message.ts";
import { json } from "./message.ts";

/**
 * Returns the request with our own JSON: every member in full, each with a link to its chart. PERSISTED at every
 * receiver: fields are only added within a version.
 */
export function webhookRequest(message: Message, { url }: { url: string }): OutgoingRequest {
  const { key, kind, tenant, title, snapshot, omitted, incidentLink } = message;
  const { refusals: _, ...incident } = snapshot.incident; // of other channels, and no business of this one
  return json(
    url,
    {
      version: 1,
      key,
      kind,
      tenant,
      title,
      incident,
      alerts: snapshot.alerts.map((alert) => ({ ...alert, links: { chart: message.chartLink(alert) } })),
      omitted,
      links: { incident: incidentLink },
    },
    { "idempotency-key": key },
  );
}

/** Returns the text that the signature of an attempt covers; `timestampMs` is when it is sent. */
export const signedText = (timestampMs: number, body: string) => `${timestampMs}.${body}`;
