// A token that was not taken → what is wrong with it, and what to do. Pure.
import { formatAge, formatDated } from "../base/format.ts";
import { claimsOf, identityOf } from "../base/identity.ts";

/** What people copy along with a token. */
export const trimToken = (text: string) =>
  text
    .trim()
    .replace(/^(authorization:\s*)?bearer\s+/i, "")
    .replace(/^(["'`])(.*)\1$/, "$2");

export const NO_TOKEN =
  "That is not a token. A token is one long word of three parts with dots between them and begins with “ey”; copy it whole.";

/** What cannot be a token is said without asking the server; null: it has to be asked. */
export const shapeRefusal = (token: string) => (claimsOf(token) === null ? NO_TOKEN : null);

/** What a server said of a token it did not take; `status` 0: no answer came. */
export interface Refusal {
  code: string;
  status: number;
  message: string;
}

/** The server's refusal, for people. */
export function refusalInWords(token: string, { code, status, message }: Refusal, nowMs: number): string {
  const { role, device, expiresAt } = identityOf(token);
  if (code === "token_expired" && expiresAt !== null) {
    return `That token expired on ${formatDated(expiresAt)}, ${formatAge(nowMs - expiresAt)}. Ask for a new one.`;
  }
  if (code === "token_invalid") {
    return "This deployment did not sign that token: it is of another one, or was not copied whole.";
  }
  if (code === "forbidden") {
    const whose = role === "device" ? `the token of the device ${device ?? "it names"}` : `a ${role}'s token`;
    return `That is ${whose}: it may send readings, and not look at them. Use a viewer's, operator's or admin's.`;
  }
  return status === 0
    ? "The server cannot be reached, so the token is not checked. Try again."
    : `The server could not check the token: ${message}`;
}
