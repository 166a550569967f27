// A message → the JSON that a provider of e-mail takes over HTTP, docs/webhooks.md.
import type { Message, OutgoingRequest } from "./message.ts";
import { cut, json } from "./message.ts";

/** The longest subject, in characters. RFC 5322 §2.1.1 allows lines of 998; nobody reads that many. */
const SUBJECT_CHARS_MAX = 200;

/** Returns the request that hands a message to a provider of e-mail; without `token` it carries no authorization. */
export function emailRequest(
  message: Message,
  { url, token, from, to }: { url: string; token?: string | undefined; from: string; to: string[] },
): OutgoingRequest {
  const { key, title, lines, snapshot, incidentLink } = message;
  const chart = snapshot.alerts[0] === undefined ? null : message.chartLink(snapshot.alerts[0]);
  const links = [
    ...(incidentLink === null ? [] : [`Alert: ${incidentLink}`]),
    ...(chart === null ? [] : [`Chart: ${chart}`]),
  ];
  const text = [title, "", ...lines, ...(links.length === 0 ? [] : ["", ...links]), ""].join("\n");
  return json(
    url,
    { from, to, subject: cut(title, SUBJECT_CHARS_MAX), text },
    { "idempotency-key": key, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
  );
}
