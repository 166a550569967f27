// Provisioning keys in D1: what each may, how far it is used, and its SHA-256, never the key itself.
import { and, desc, eq, lt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { PROVISIONING_KEYS_PER_TENANT_MAX, TOKENS_PER_TENANT_MAX } from "../../schemas/limits.ts";
import type { ProvisioningKeyEntry, ProvisioningKeyList } from "../../schemas/provisioning.ts";
import { provisioningKey as keyTable } from "../../schemas/tables.ts";
import { Problem } from "../problem.ts";
import { fromStorage } from "./storage.ts";

/** How long a key is listed that has expired. */
const EXPIRED_KEPT_MS = 90 * 86_400_000;

/** By its beginning people and scanners of code know a key for what it is. */
const PREFIX = "ttp_";
/** 32 bytes as base64url. */
const KEY = /^ttp_[A-Za-z0-9_-]{43}$/;

/** Returns a new key, of 256 random bits. */
export function drawKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `${PREFIX}${btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, (char) => URL_SAFE[char]!)}`;
}

const URL_SAFE: Record<string, string> = { "+": "-", "/": "_", "=": "" };

/** Whether a text looks like a key; what does not is none, and need not be looked up. */
export const isKey = (text: string): boolean => KEY.test(text);

/** Returns the SHA-256 of a text, in hex. */
export async function hashOf(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Notes a key that is to be made; keys that expired 90 days ago and tokens that have expired are dropped. That the tokens it
 * may yet make are not too many is judged here, once, so that no claim has to count. Reads a row for each token of the tenant.
 * @throws Problem `conflict`: the tenant has too many keys, or would have too many tokens.
 */
export async function insertKey(
  control: D1Database,
  tenant: string,
  hash: string,
  key: ProvisioningKeyEntry,
): Promise<void> {
  const { createdAt: now, maxDevices } = key;
  const results = await fromStorage(
    "D1",
    control.batch([
      control.prepare("DELETE FROM token WHERE tenant = ?1 AND expires_at <= ?2").bind(tenant, now),
      control
        .prepare("DELETE FROM provisioning_key WHERE tenant = ?1 AND expires_at <= ?2")
        .bind(tenant, now - EXPIRED_KEPT_MS),
      control
        .prepare(INSERT)
        .bind(tenant, hash, JSON.stringify(key), now, TOKENS_PER_TENANT_MAX - maxDevices),
    ]),
  );
  if (results.at(-1)!.meta.changes > 0) return;
  throw new Problem(
    "conflict",
    `the tenant has ${PROVISIONING_KEYS_PER_TENANT_MAX} keys, or would have more than ${TOKENS_PER_TENANT_MAX} tokens that are not expired if all devices of its keys claim: name fewer than ${maxDevices}, or revoke keys that are not needed`,
  );
}

const INSERT = `
  INSERT INTO provisioning_key (tenant, id, hash, name, zone, model, device_prefix, max_devices, token_ttl_seconds,
    created_at, created_by, expires_at)
  SELECT ?1, ?3 ->> 'id', ?2, ?3 ->> 'name', ?3 ->> 'zone', ?3 ->> 'model', ?3 ->> 'devicePrefix', ?3 ->> 'maxDevices',
    ?3 ->> 'tokenTtlSeconds', ?3 ->> 'createdAt', ?3 ->> 'createdBy', ?3 ->> 'expiresAt'
  WHERE (SELECT count(*) FROM provisioning_key WHERE tenant = ?1) < ${PROVISIONING_KEYS_PER_TENANT_MAX}
    AND (SELECT count(*) FROM token WHERE tenant = ?1) + (
      SELECT coalesce(sum(max_devices - claimed), 0) FROM provisioning_key
      WHERE tenant = ?1 AND revoked_at IS NULL AND expires_at > ?4) <= ?5`;

/** Returns a page of the tenant's keys, newest first; `next` is the `after` of the page after it, null at the end. */
export async function listKeys(
  control: D1Database,
  tenant: string,
  { after, limit }: { after?: string | undefined; limit: number },
): Promise<ProvisioningKeyList> {
  const rows = await fromStorage(
    "D1",
    drizzle(control)
      .select()
      .from(keyTable)
      .where(and(eq(keyTable.tenant, tenant), after === undefined ? undefined : lt(keyTable.id, after)))
      .orderBy(desc(keyTable.id))
      .limit(limit + 1),
  );
  const provisioningKeys = rows.slice(0, limit).map(keyOf);
  return { provisioningKeys, next: rows.length > limit ? provisioningKeys.at(-1)!.id : null };
}

/** Returns what is known of a key. @throws Problem `provisioning_key_not_found`. */
export async function readKey(
  control: D1Database,
  tenant: string,
  id: string,
): Promise<ProvisioningKeyEntry> {
  const rows = await fromStorage("D1", drizzle(control).select().from(keyTable).where(isKeyOf(tenant, id)));
  return found(rows, id);
}

/** Revokes a key, with which no device claims from then on; one that is revoked stays as it is. @throws as `readKey`. */
export async function revokeKey(
  control: D1Database,
  tenant: string,
  id: string,
  nowMs: number,
): Promise<ProvisioningKeyEntry> {
  await fromStorage("D1", control.prepare(`${REVOKE} AND id = ?3`).bind(tenant, nowMs, id).run());
  return await readKey(control, tenant, id);
}

/** Notes that all keys of the tenant are revoked that were made up to an instant. Costs a row for each. */
export async function revokeKeys(control: D1Database, tenant: string, notBeforeMs: number): Promise<void> {
  const update = control.prepare(`${REVOKE} AND created_at <= ?2`);
  await fromStorage("D1", update.bind(tenant, notBeforeMs).run());
}

const REVOKE = "UPDATE provisioning_key SET revoked_at = ?2 WHERE tenant = ?1 AND revoked_at IS NULL";

const isKeyOf = (tenant: string, id: string) => and(eq(keyTable.tenant, tenant), eq(keyTable.id, id));

type Row = typeof keyTable.$inferSelect;

function found(rows: readonly Row[], id: string): ProvisioningKeyEntry {
  if (rows[0] !== undefined) return keyOf(rows[0]);
  throw new Problem(
    "provisioning_key_not_found",
    `no provisioning key ${id}; GET /v1/provisioning-keys lists them`,
  );
}

/** Returns a row as it is shown: without the key's hash. */
export const keyOf = ({ tenant: _tenant, hash: _hash, ...entry }: Row): ProvisioningKeyEntry => entry;
