// An API key → whom it speaks for, asked of the tenant's object once a minute at most.
import { callerOfApiKey, hashOfApiKey, tenantOfApiKey } from "../core/token/api-key.ts";
import { type Caller, checkTime, invalid } from "../core/token/caller.ts";
import { API_KEY_USE_NOTED_MS } from "../schemas/limits.ts";
import { wallMs } from "./clock.ts";
import { Problem } from "./problem.ts";
import { readApiKeys, useApiKey } from "./tenant.ts";
import { withDeadline } from "./with-deadline.ts";

/** For how long a tenant's keys are taken as they were. A key that is revoked meanwhile is void by its id, as a token is. */
const KNOWN_MS = 60_000;
/** For how long they stand in for an answer while the tenant's object is away, or asked too often. */
const STANDS_MS = 10 * 60_000;
const TENANT_ANSWERS_MS = 2_000;
/** Tenants remembered, the newest: with a hundred keys each some 12 MB. */
const TENANTS_MAX = 300;
/** Questions of a tenant's object within a second, however many keys come by that are none. */
const ASKS_MAX = 10;
const ASKS_MS = 1_000;

interface Held {
  caller: ReturnType<typeof callerOfApiKey>;
  lastUsedAt: number | null;
}

interface Known {
  /** By the hash of the key. */
  keys: Map<string, Held>;
  readAt: number;
  asking?: Promise<void>;
  asks: { count: number; sinceMs: number };
}

const known = new Map<string, Known>();

/**
 * Returns whom an API key speaks for. Costs a request of the object of the tenant it names once a minute and isolate, and
 * of each key that the isolate does not know, ten a second at most; and one an hour to say that the key was used.
 * @throws TokenError `token_invalid`: there is no such key; `token_expired`.
 * @throws Problem `unavailable`: the tenant's object is away, or asked too often.
 */
export async function callerOfKey(tenants: DurableObjectNamespace, key: string): Promise<Caller> {
  const tenant = tenantOfApiKey(key);
  if (tenant === undefined)
    throw invalid("the API key is not whole; it is tt_, the tenant, _ and 64 hex digits");
  const hash = await hashOfApiKey(key);
  const held = await find(tenants, tenant, hash);
  if (held === undefined)
    throw invalid("the API key is none, or no longer; an admin makes one with POST /v1/api-keys");
  const now = wallMs();
  checkTime(held.caller, now);
  if (held.lastUsedAt === null || now - held.lastUsedAt >= API_KEY_USE_NOTED_MS) {
    held.lastUsedAt = now;
    await noteUse(tenants, tenant, held.caller.id);
  }
  return held.caller;
}

async function find(
  tenants: DurableObjectNamespace,
  tenant: string,
  hash: string,
): Promise<Held | undefined> {
  const now = wallMs();
  const entry = entryOf(tenant, now);
  const old = entry.keys.get(hash);
  if (old !== undefined && now - entry.readAt < KNOWN_MS) return old;
  try {
    if (entry.asking !== undefined) {
      // Many requests of a machine may come at once to an isolate that does not know it.
      await withDeadline(TENANT_ANSWERS_MS, "the tenant's object", entry.asking).catch(() => undefined);
      const found = entry.keys.get(hash);
      if (found !== undefined && now - entry.readAt < KNOWN_MS) return found;
    }
    if (now - entry.asks.sinceMs >= ASKS_MS) entry.asks = { count: 0, sinceMs: now };
    entry.asks.count += 1;
    if (entry.asks.count > ASKS_MAX) throw new Error("too many keys that are not known");
    entry.asking = ask(tenants, tenant, entry);
    await entry.asking;
    return entry.keys.get(hash);
  } catch (error) {
    if (old !== undefined && now - entry.readAt < STANDS_MS) return old;
    console.error("the API keys of a tenant are not known", { tenant, error: String(error) });
    throw new Problem(
      "unavailable",
      `the API keys of ${tenant} cannot be had right now; send the same again`,
    );
  }
}

function entryOf(tenant: string, nowMs: number): Known {
  const entry = known.get(tenant) ?? { keys: new Map(), readAt: 0, asks: { count: 0, sinceMs: nowMs } };
  known.delete(tenant);
  known.set(tenant, entry);
  if (known.size > TENANTS_MAX) known.delete(known.keys().next().value!);
  return entry;
}

async function ask(tenants: DurableObjectNamespace, tenant: string, entry: Known): Promise<void> {
  const now = wallMs();
  const keys = await withDeadline(TENANT_ANSWERS_MS, "the tenant's object", readApiKeys(tenants, tenant));
  entry.keys = new Map(
    keys.map((key) => [key.hash, { caller: callerOfApiKey(tenant, key), lastUsedAt: key.lastUsedAt }]),
  );
  entry.readAt = now;
}

/** Never fails: the next minute's keys say that it was not noted. */
async function noteUse(tenants: DurableObjectNamespace, tenant: string, id: string): Promise<void> {
  try {
    await withDeadline(TENANT_ANSWERS_MS, "the tenant's object", useApiKey(tenants, tenant, id));
  } catch (error) {
    console.warn("the use of an API key is not noted", { tenant, id, error: String(error) });
  }
}
