// Parts of command lines that several commands share.
import { signToken } from "../../core/token/sign.ts";
import { readLocalSecret } from "../local-secret.ts";
import { UsageError } from "./run-command.ts";

/** The tenant of the local run. */
export const TENANT = "demo";

/** A month, a day or an instant; without an offset it is UTC, as everywhere in Telltale. */
export function instantOf(option: string, given: string): number {
  const hasOffset = /(Z|[+-]\d\d:?\d\d)$/i.test(given) || !given.includes("T");
  const at = /^\d{4}-\d\d/.test(given) ? Date.parse(hasOffset ? given : `${given}Z`) : Number.NaN;
  if (Number.isNaN(at))
    throw new UsageError(`${option} ${given}: like 2013-03, 2013-03-01 or 2013-03-01T06:00Z`);
  return at;
}

export function originOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol))
    throw new UsageError(`--url ${url}: like http://127.0.0.1:8787 or https://telemetry.example.com`);
  return parsed.href.replace(/\/+$/, "");
}

/** The secret tokens are signed with: of the deployment whose TOKEN_SECRET is in the environment, or of the local run. */
export const tokenSecret = async () => process.env.TOKEN_SECRET ?? (await readLocalSecret());

/** A token for a tenant, signed here. */
export async function tokenFor(tenant: string, role: "admin" | "gateway"): Promise<string> {
  return await signToken({ tenant, role, ttlSeconds: 365 * 86_400 }, await tokenSecret(), Date.now());
}
