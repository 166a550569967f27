// Parts of command lines that several scripts share.
import { signToken } from "../../core/token/sign.ts";
import { readLocalSecret } from "../local-secret.ts";

export class UsageError extends Error {
  override name = "UsageError";
}

/** A month, a day or an instant; without an offset it is UTC, as everywhere in Telltale. */
export function instantOf(option: string, given: string | undefined): number {
  if (given === undefined) throw new UsageError(`${option} is missing; ${option} 2013-03-01`);
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

/** A token for a tenant: of the local run, or of the deployment whose TOKEN_SECRET is in the environment. */
export async function tokenFor(tenant: string, role: "admin" | "gateway"): Promise<string> {
  const secret = process.env.TOKEN_SECRET ?? (await readLocalSecret());
  return await signToken({ tenant, role, ttlSeconds: 365 * 86_400 }, secret, Date.now());
}
