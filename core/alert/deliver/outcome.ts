// What came of an attempt → whether the message is delivered, and if not, whether it ever will be and how long to wait.
import { oneLine } from "../../../schemas/one-line.ts";
import { ASKED_MS_MAX } from "./backoff.ts";
import { cut } from "./message.ts";

/** What a receiver answered to an attempt. */
export interface Answer {
  status: number;
  /** The header `retry-after`; null when absent. */
  retryAfter: string | null;
  /** The header `location`; null when absent. */
  location: string | null;
  /** The beginning of the body. */
  text: string;
}

/** An attempt that failed. */
export interface Failure {
  sent: false;
  /** The status and what the receiver said of it, on one line. */
  error: string;
  /** Whether the receiver refuses the message for good: no retry mends that, another channel may. */
  isRefused: boolean;
  /** Until when the message is not tried again, epoch ms. */
  notBeforeMs: number;
}

/** What came of an attempt to send a message. */
export type Outcome = { sent: true } | Failure;

const LOCATION_CHARS_MAX = 300;
/** The most of what a receiver says that is kept, in characters. */
const SAID_CHARS_MAX = 300;
/** Of 4xx, which blames the request, the answers to a request that may pass later (RFC 9110 §15.5.9, RFC 8470, RFC 6585). */
const MAY_PASS_LATER = new Set([408, 425, 429]);

/**
 * Returns what came of an answered attempt: 2xx is delivered. 4xx refuses the message for good, whether for what it
 * says or for the channel's address or credentials, but for 408, 425 and 429, which like everything else are tried
 * again.
 */
export function outcomeOf({ status, retryAfter, location, text }: Answer, nowMs: number): Outcome {
  if (status >= 200 && status < 300) return { sent: true };
  const isRefused = status >= 400 && status < 500 && !MAY_PASS_LATER.has(status);
  const asked = status === 429 || status === 503 ? retryAfterMs(retryAfter, nowMs) : 0;
  const words = cut(oneLine(text), SAID_CHARS_MAX);
  const said = words === "" ? "" : `: ${words}`;
  const error =
    status >= 300 && status < 400
      ? `answered ${status}, and redirects are not followed; give the channel the address it leads to${location === null ? "" : `: ${cut(oneLine(location), LOCATION_CHARS_MAX)}`}`
      : `answered ${status}${said}`;
  return { sent: false, error, isRefused, notBeforeMs: nowMs + asked };
}

/**
 * Returns the wait that a Retry-After header asks for, in ms, given in seconds or as a date (RFC 9110 §10.2.3): at
 * most an hour, 0 when it is absent or neither.
 */
function retryAfterMs(value: string | null, nowMs: number): number {
  if (value === null) return 0;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return Number.isFinite(ms) ? Math.min(ASKED_MS_MAX, Math.max(0, ms)) : 0;
}

/** Returns the outcome of an attempt that got no answer: the network failed, or the time was over. */
export const failed = (error: string, nowMs: number): Failure => ({
  sent: false,
  error,
  isRefused: false,
  notBeforeMs: nowMs,
});
