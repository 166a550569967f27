// What came of an attempt → whether the message is delivered, and if not, whose fault it is and how long to wait.
import { ASKED_MS_MAX } from "./backoff.ts";

export interface Answer {
  status: number;
  /** Headers `retry-after` and `location`, null when absent. */
  retryAfter: string | null;
  location: string | null;
  /** The beginning of the body. */
  text: string;
}

export type Outcome =
  | { sent: true }
  | {
      sent: false;
      error: string;
      /** `message`: this one is refused, others may pass. `channel`: nothing passes now. */
      fault: "message" | "channel";
      /** Not tried again before this, epoch ms. */
      notBeforeMs: number;
    };

const LOCATION_CHARS_MAX = 300;
/** What a receiver says of a message that it could not read; everything else is about the receiver or the way to it. */
const MESSAGE_REFUSED = new Set([400, 413, 422]);

/**
 * 2xx is delivered; everything else is tried again, also what other clients take for final: a wrong address at night is
 * put right in the morning.
 */
export function outcomeOf({ status, retryAfter, location, text }: Answer, nowMs: number): Outcome {
  if (status >= 200 && status < 300) return { sent: true };
  const fault = MESSAGE_REFUSED.has(status) ? "message" : "channel";
  const asked = status === 429 || status === 503 ? retryAfterMs(retryAfter, nowMs) : 0;
  const said = text.trim() === "" ? "" : `: ${text.trim()}`;
  const error =
    status >= 300 && status < 400
      ? `answered ${status}, and redirects are not followed; give the channel the address it leads to${location === null ? "" : `: ${location.slice(0, LOCATION_CHARS_MAX)}`}`
      : `answered ${status}${said}`;
  return { sent: false, error, fault, notBeforeMs: nowMs + asked };
}

/** Seconds, or a date (RFC 9110 §10.2.3); at most an hour. */
function retryAfterMs(value: string | null, nowMs: number): number {
  if (value === null) return 0;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return Number.isFinite(ms) ? Math.min(ASKED_MS_MAX, Math.max(0, ms)) : 0;
}

/** The network failed, or nobody answered in time. */
export const failed = (error: string, nowMs: number): Outcome => ({
  sent: false,
  error,
  fault: "channel",
  notBeforeMs: nowMs,
});
