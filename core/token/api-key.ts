// An API key ↔ the tenant it names, and the hash that is kept of it.
import type { ApiKey } from "../../schemas/api-key.ts";
import { NAME_PATTERN } from "../../schemas/limits.ts";
import type { Caller } from "./caller.ts";

/** What every key begins with, and no signed token: scanners for secrets find it by that. */
const PREFIX = "tt_";
export const API_KEY_BYTES = 32;
const SHAPE = new RegExp(`^${PREFIX}(.+)_[0-9a-f]{${2 * API_KEY_BYTES}}$`);

/** Whether a bearer's text is meant for an API key. */
export const isApiKey = (text: string): boolean => text.startsWith(PREFIX);

/** Returns the key of a tenant that has these 32 bytes, which are to be drawn at random. */
export const apiKeyOf = (tenant: string, secret: Uint8Array): string => `${PREFIX}${tenant}_${hexOf(secret)}`;

/** Returns the tenant that a key names, which proves nothing: it says whom to ask. Undefined: it is no whole key. */
export function tenantOfApiKey(key: string): string | undefined {
  const tenant = SHAPE.exec(key)?.[1];
  return tenant !== undefined && NAME_PATTERN.test(tenant) ? tenant : undefined;
}

/** Returns what is kept of a key: of 256 random bits a plain SHA-256 gives nothing away. */
export const hashOfApiKey = async (key: string): Promise<string> =>
  hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key))));

/** Returns whom a key speaks for, as the caller of a token of its role and id. */
export const callerOfApiKey = (
  tenant: string,
  { id, role, name, madeAt, expiresAt }: ApiKey,
): Caller & { id: string } => ({ tenant, role, sub: name, id, issuedAtMs: madeAt, expiresAt });

/** Returns the bytes in hex. */
export const hexOf = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
