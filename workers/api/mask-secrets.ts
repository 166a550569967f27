// A channel's target ↔ the same without its secrets, which are never shown again.
import { SECRET_MASK } from "../../schemas/alert-http.ts";
import type { Target } from "../../schemas/channel.ts";

/** What is secret of each kind; whoever knows the address of a Slack or Teams channel may write to it. */
const SECRETS: Record<Target["type"], readonly string[]> = {
  webhook: ["secret"],
  slack: ["url"],
  pagerduty: ["routingKey"],
  opsgenie: ["apiKey"],
  teams: ["url"],
  email: ["token"],
  alertmanager: ["token"],
};

type Fields = Record<string, unknown>;

export function maskSecrets(target: Target): Target {
  const shown: Fields = { ...target };
  for (const name of SECRETS[target.type]) {
    if (shown[name] === undefined) continue;
    shown[name] = name === "url" ? `${new URL(target.url).origin}/${SECRET_MASK}` : SECRET_MASK;
  }
  return shown as Target;
}

/**
 * The target with the stored secrets in place of their masks, or why that is not done: a stored secret goes only where it
 * was given for.
 */
export function unmaskSecrets(target: Target, stored: Target | undefined): Target | { refused: string } {
  const whole: Fields = { ...target };
  for (const name of SECRETS[target.type]) {
    const sent = whole[name];
    if (typeof sent !== "string" || !sent.includes(SECRET_MASK)) continue;
    const shown: Fields | undefined = stored?.type === target.type ? { ...maskSecrets(stored) } : undefined;
    if (shown?.[name] !== sent) {
      return { refused: `target.${name}: ${sent} stands for a stored secret, and there is none; send it` };
    }
    if (name !== "url" && target.url !== stored!.url) {
      return { refused: `target.${name}: the address changes, so send the secret again in place of ${sent}` };
    }
    whole[name] = (stored as Fields | undefined)![name];
  }
  return whole as Target;
}
