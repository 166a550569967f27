// A device with a provisioning key → its own token, once, and a place in the registry.
import { and, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { DEFAULT_ZONE } from "../../core/device/state.ts";
import { type ClaimedToken, type ClaimingDevice, judgeClaim } from "../../core/token/claim.ts";
import { signToken } from "../../core/token/sign.ts";
import type { ClaimAnswer, ClaimBody, ProvisioningKeyEntry } from "../../schemas/provisioning.ts";
import {
  device as deviceTable,
  provisioningKey as keyTable,
  token as tokenTable,
} from "../../schemas/tables.ts";
import { bearerOf, failures, secretsOf } from "../authenticate.ts";
import { Problem } from "../problem.ts";
import { sortedId } from "../sorted-id.ts";
import { readSettings } from "../tenant.ts";
import { withDeadline } from "../with-deadline.ts";
import type { ApiEnv } from "./env.ts";
import { hashOf, isKey, keyOf } from "./provisioning-keys.ts";
import { roomFor } from "./room-for.ts";
import { fromStorage } from "./storage.ts";

/** How often a claim is judged anew, because others changed what it was judged by. */
const TRIES = 3;
const OBJECT_ANSWERS_MS = 5_000;

/** What a claim came to: `isNew` false: the device got its token again. `who` is the name of the key in the audit. */
export interface Claimed {
  answer: ClaimAnswer;
  tenant: string;
  who: string;
  isNew: boolean;
}

/**
 * Returns the key that a request says in `Authorization`. What is none by its looks costs no look-up.
 * @throws Problem `token_missing`, `token_invalid`, `too_many_failures`.
 */
export function keyIn(request: Request): string {
  const key = bearerOf(request);
  if (key === undefined)
    throw new Problem("token_missing", "send the header `Authorization: Bearer <provisioning key>`");
  if (!isKey(key))
    throw failed(request, "token_invalid", "this is no provisioning key, which begins with ttp_");
  return key;
}

/**
 * Gives a device its token. Whether there is room is judged, and the key counted down, in the one transaction that writes
 * device and token, so that there are never more than the key is for. Costs a question to D1, and a new claim four or five
 * rows and a call of the device's object; each a call of the tenant's, and a new one two where its devices are limited.
 * @throws Problem as `judgeClaim` says, `token_invalid`: nobody made the key; `quota_devices`, `too_many_failures`,
 * `unavailable`: the same may be asked again.
 */
export async function claimDevice(
  env: ApiEnv,
  request: Request,
  key: string,
  { device, secret }: ClaimBody,
  nowMs: number,
): Promise<Claimed> {
  const [signing] = secretsOf(env);
  const asked: Asked = { device, keyHash: await hashOf(key), hash: await hashOf(secret) };
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const known = await readClaim(env.CONTROL, asked, nowMs);
    if (known === undefined) throw failed(request, "token_invalid", "nobody made this provisioning key");
    const { tenant, entry } = known;
    const settings = await readSettings(env.TENANT, tenant);
    const judge = (device: ClaimingDevice) =>
      judgeClaim(entry, device, asked, settings.tokens?.notBeforeMs ?? 0, nowMs);
    let judged = judge(known.device);
    if (judged.verdict === "new")
      judged = judge({ ...known.device, ...(await readObject(env, tenant, device)) });
    if (judged.verdict === "refused") {
      if (judged.code === "already_claimed") throw failed(request, judged.code, judged.detail);
      throw new Problem(judged.code, judged.detail);
    }
    const isNew = judged.verdict === "new";
    const token = judged.verdict === "again" ? judged.token : newToken(entry, nowMs);
    if (isNew) {
      await roomFor(env, tenant, device, settings);
      if (!(await writeClaim(env.CONTROL, asked, token))) continue;
    }
    const ttlSeconds = token.expiresAt / 1000 - Math.floor(token.issuedAt / 1000);
    const subject = { tenant, role: "device", device, id: token.id, ttlSeconds } as const;
    const signed = await signToken(subject, signing, token.issuedAt);
    const answer = { device, token: signed, expiresAt: token.expiresAt };
    return { answer, tenant, who: whoOf(entry), isNew };
  }
  throw new Problem("unavailable", `others claim ${device} in the same moment; ask the same again`);
}

/** Counts as a token that is none (F23). @throws Problem `too_many_failures`. */
function failed(request: Request, code: "token_invalid" | "already_claimed", detail: string): Problem {
  failures.note(request.headers.get("cf-connecting-ip"));
  return new Problem(code, detail);
}

/** Both hashes are SHA-256: of the key, and of the device's secret. */
interface Asked {
  device: string;
  keyHash: string;
  hash: string;
}

const whoOf = ({ id }: ProvisioningKeyEntry) => `provisioning-keys/${id}`;

function newToken(key: ProvisioningKeyEntry, nowMs: number): ClaimedToken {
  const expiresAt = (Math.floor(nowMs / 1000) + key.tokenTtlSeconds) * 1000;
  return { id: sortedId(nowMs), issuedAt: nowMs, expiresAt, issuedBy: whoOf(key), revokedAt: null };
}

/** Returns the key, and what is known of the device of its tenant; undefined: nobody made the key. */
async function readClaim(
  control: D1Database,
  { device, keyHash }: Asked,
  nowMs: number,
): Promise<{ tenant: string; entry: ProvisioningKeyEntry; device: ClaimingDevice } | undefined> {
  const isOfTenant = eq(deviceTable.tenant, keyTable.tenant);
  // Left alone, SQLite looks through all tokens of the tenant: their rows lie by tenant and id.
  const holds = sql<number>`EXISTS (
    SELECT 1 FROM token AS own INDEXED BY token_by_device
    WHERE own.tenant = ${keyTable.tenant} AND own.device = ${device} AND own.expires_at > ${nowMs}
      AND own.revoked_at IS NULL)`;
  const rows = await fromStorage(
    "D1",
    drizzle(control)
      .select({ key: keyTable, known: deviceTable, token: tokenTable, holds })
      .from(keyTable)
      .leftJoin(deviceTable, and(isOfTenant, eq(deviceTable.device, device)))
      .leftJoin(
        tokenTable,
        and(eq(tokenTable.tenant, keyTable.tenant), eq(tokenTable.id, deviceTable.claimToken)),
      )
      .where(eq(keyTable.hash, keyHash)),
  );
  if (rows[0] === undefined) return undefined;
  const { key, known, token, holds: isHeld } = rows[0];
  const hash = known?.claimHash ?? null;
  return {
    tenant: key.tenant,
    entry: keyOf(key),
    device: {
      hasReported: (known?.firstSeenAt ?? null) !== null,
      // Of a device that was deleted since, the token is that of its former life.
      hasToken: known !== null && isHeld === 1,
      wasRevoked: false, // the object knows
      claim: hash === null ? null : { hash, token },
    },
  };
}

/**
 * Asks the device's object, which knows of reports before the registry does, and keeps what was revoked.
 * @throws Problem `unavailable`: it may be asked again.
 */
async function readObject(
  env: ApiEnv,
  tenant: string,
  device: string,
): Promise<Pick<ClaimingDevice, "hasReported" | "wasRevoked">> {
  try {
    const life = env.DEVICE.getByName(`${tenant}/${device}`).life();
    const { isKnown, wasRevoked } = await withDeadline(OBJECT_ANSWERS_MS, device, life);
    return { hasReported: isKnown, wasRevoked };
  } catch (error) {
    console.error("a claim could not be judged", { tenant, device, error: String(error) });
    throw new Problem("unavailable", `the object of ${device} is away; ask the same again`);
  }
}

/** Returns whether device and token are written and the claim counted; false: what it was judged by has changed. */
async function writeClaim(
  control: D1Database,
  { device, keyHash, hash }: Asked,
  { id, issuedAt, expiresAt, issuedBy }: ClaimedToken,
): Promise<boolean> {
  const [written] = await fromStorage(
    "D1",
    control.batch([
      control.prepare(CLAIM).bind(keyHash, device, DEFAULT_ZONE, issuedAt, hash, id),
      control.prepare(COUNT).bind(keyHash, device, id, issuedAt),
      control.prepare(NOTE).bind(keyHash, device, id, issuedAt, issuedBy, expiresAt),
    ]),
  );
  return written!.meta.changes > 0;
}

/** A device made ahead keeps what was said of it. */
const CLAIM = `
  INSERT INTO device (tenant, device, zone, model, created_at, claim_hash, claim_token)
  SELECT tenant, ?2, coalesce(zone, ?3), model, ?4, ?5, ?6 FROM provisioning_key
  WHERE hash = ?1 AND revoked_at IS NULL AND expires_at > ?4 AND claimed < max_devices
  ON CONFLICT (tenant, device) DO UPDATE SET claim_hash = excluded.claim_hash, claim_token = excluded.claim_token
  WHERE claim_token IS NULL AND first_seen_at IS NULL`;
const OWN =
  "tenant = (SELECT tenant FROM provisioning_key WHERE hash = ?1) AND device = ?2 AND claim_token = ?3";
const COUNT = `
  UPDATE provisioning_key SET claimed = claimed + 1, last_claim_at = ?4
  WHERE hash = ?1 AND EXISTS (SELECT 1 FROM device WHERE ${OWN})`;
const NOTE = `
  INSERT INTO token (tenant, id, role, device, issued_at, issued_by, expires_at)
  SELECT tenant, ?3, 'device', device, ?4, ?5, ?6 FROM device WHERE ${OWN}`;
