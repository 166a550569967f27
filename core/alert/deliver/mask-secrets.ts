// A channel's target ↔ the same without its secrets, which are never shown again.
import { SECRET_MASK } from "../../../schemas/alert-http.ts";
import type { Target } from "../../../schemas/channel.ts";
import type { Role } from "../../../schemas/token.ts";
import { SECRET_FIELDS } from "./target.ts";

/** Which fields a role does not see: what is secret, and to all but admins a webhook's address, which often says a key. */
const hiddenOf = (type: Target["type"], role: Role): readonly string[] =>
  type === "webhook" && role !== "admin" ? ["url", ...SECRET_FIELDS.webhook] : SECRET_FIELDS[type];

type Fields = Record<string, unknown>;

/** Returns the target with a mask in the place of each secret; of an address that is one its origin stays. */
export function maskSecrets(target: Target, role: Role): Target {
  const shown: Fields = { ...target };
  for (const name of hiddenOf(target.type, role)) {
    if (shown[name] === undefined) continue;
    shown[name] = name === "url" ? `${new URL(target.url).origin}/${SECRET_MASK}` : SECRET_MASK;
  }
  return shown as Target;
}

/**
 * Returns the target with the stored secrets in place of their masks, or why that is not done: a stored secret goes
 * only to the address it was stored for.
 */
export function unmaskSecrets(target: Target, stored: Target | undefined): Target | { refused: string } {
  const whole: Fields = { ...target };
  for (const name of hiddenOf(target.type, "operator")) {
    const sent = whole[name];
    if (typeof sent !== "string" || !sent.includes(SECRET_MASK)) continue;
    const shown: Fields | undefined =
      stored?.type === target.type ? { ...maskSecrets(stored, "operator") } : undefined;
    if (shown?.[name] !== sent) {
      return { refused: `target.${name}: ${sent} stands for a stored secret, and there is none; send it` };
    }
    if (name !== "url" && whole.url !== stored!.url) {
      return { refused: `target.${name}: the address changes, so send the secret again in place of ${sent}` };
    }
    whole[name] = (stored as Fields | undefined)![name];
  }
  return whole as Target;
}
