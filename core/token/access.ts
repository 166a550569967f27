// A person whom Cloudflare Access let in → what they may do, as their tenant says.
import type { AccessRule } from "../../schemas/access.ts";
import { oddCharacter } from "../../schemas/one-line.ts";
import { SUB_LENGTH_MAX } from "./caller.ts";

/** Whom a verified assertion is about. */
export interface Person {
  email: string;
  groups: string[];
}

const RANK: readonly AccessRule["role"][] = ["viewer", "operator", "admin"];

/** Returns the person that the claims of an assertion name; undefined: they name a service, or nobody. */
export function personOf({ email, groups, custom }: Record<string, unknown>): Person | undefined {
  if (typeof email !== "string" || !email.includes("@")) return undefined;
  if (email.length > SUB_LENGTH_MAX || oddCharacter(email) !== undefined) return undefined;
  const listed = groups ?? (custom as { groups?: unknown } | undefined | null)?.groups;
  const named = Array.isArray(listed) ? listed.filter((group) => typeof group === "string") : [];
  return { email: email.toLowerCase(), groups: named };
}

/** Returns the greatest role that a rule gives to a person; undefined: none is about them. */
export function roleOf(
  { email, groups }: Person,
  rules: readonly AccessRule[],
): AccessRule["role"] | undefined {
  const fits = (rule: AccessRule) =>
    rule.email?.toLowerCase() === email ||
    (rule.domain !== undefined && email.endsWith(`@${rule.domain.toLowerCase()}`)) ||
    (rule.group !== undefined && groups.includes(rule.group));
  const roles = new Set(rules.filter(fits).map(({ role }) => role));
  return RANK.findLast((role) => roles.has(role));
}

/** Returns the id of what people are let in with by these rules: it is void when they change, so that nobody keeps what is taken. */
export const accessIdOf = (version: number) => `cloudflare-access-${version}`;
