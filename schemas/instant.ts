// ISO 8601 text → epoch ms; free of zod so the hot path may import it.
import { ISO_INSTANT } from "./limits.ts";

/** Epoch ms of an ISO 8601 date and time, UTC when it has no offset; undefined for other text and for days no month has. */
export function parseIso(text: string): number | undefined {
  if (!ISO_INSTANT.test(text)) return undefined;
  const ms = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`);
  if (Number.isNaN(ms)) return undefined;
  // Date.parse rolls 31 April over to 1 May; the reading would be stored at an instant nobody named.
  const day = text.slice(0, 10);
  return new Date(day).toISOString().startsWith(day) ? ms : undefined;
}
