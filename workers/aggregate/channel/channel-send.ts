// A request to a receiver → one attempt to deliver it, signed if it is to be, and what came of that. Never throws.
import type { OutgoingRequest } from "../../../core/alert/deliver/message.ts";
import { failed, type Outcome, outcomeOf } from "../../../core/alert/deliver/outcome.ts";
import { refusalOf, refusalOfTarget } from "../../../core/alert/deliver/target.ts";
import { signedText } from "../../../core/alert/deliver/webhook.ts";
import type { Target } from "../../../schemas/channel.ts";
import { wallMs } from "../../clock.ts";

/** A receiver that takes longer has failed; it may have taken the message, and knows it by its key. */
const ANSWERS_MS = 10_000;
/** Of what a receiver says of a failure, as much as a list of deliveries shows. */
const TEXT_CHARS_MAX = 300;

/**
 * Makes one attempt to deliver a request, of 10 s at most, signed when the target has a secret. Returns what came of
 * it; never throws. `allowLoopback`: addresses of this machine are no refusal.
 */
export async function send(
  request: OutgoingRequest,
  target: Target,
  allowLoopback: boolean,
): Promise<Outcome> {
  const refusal = refusalOf(request.url, allowLoopback) ?? refusalOfTarget(target, allowLoopback);
  if (refusal !== undefined) return { ...failed(refusal, wallMs()), isRefused: true };
  const late = new AbortController();
  // Not AbortSignal.timeout: its timer would keep the object awake, and billed, for all of its time.
  const timer = setTimeout(() => late.abort(), ANSWERS_MS);
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: {
        "user-agent": "Telltale",
        ...request.headers,
        ...(target.type === "webhook" ? await signatureOf(request.body, target.secret) : {}),
      },
      body: request.body,
      redirect: "manual", // a receiver could lead us to an address that is refused
      signal: late.signal,
    });
    const { status, headers } = response;
    const text = await beginningOf(response);
    const answer = {
      status,
      retryAfter: headers.get("retry-after"),
      location: headers.get("location"),
      text,
    };
    return outcomeOf(answer, wallMs());
  } catch (error) {
    const what = late.signal.aborted ? `did not answer in ${ANSWERS_MS / 1_000} s` : `not reached: ${error}`;
    return failed(what, wallMs());
  } finally {
    clearTimeout(timer);
  }
}

/** The time of this attempt, and with a secret the proof that both are ours; see docs/webhooks.md. */
async function signatureOf(body: string, secret: string | undefined): Promise<Record<string, string>> {
  const timestampMs = wallMs();
  const timestamp = { "telltale-timestamp": String(timestampMs) };
  if (secret === undefined) return timestamp;
  const bytes = (text: string) => new TextEncoder().encode(text);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes(secret), algorithm, false, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", key, bytes(signedText(timestampMs, body)));
  const hex = [...new Uint8Array(signature)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { ...timestamp, "telltale-signature": `v1=${hex}` };
}

/** A success is believed by its status; whatever it says is not waited for. */
async function beginningOf(response: Response): Promise<string> {
  if (response.body === null) return "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!response.ok && text.length < TEXT_CHARS_MAX) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += value;
  }
  await reader.cancel().catch(() => undefined);
  return text.slice(0, TEXT_CHARS_MAX);
}
