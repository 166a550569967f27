// The tenant's control object as typed calls, for every Worker that binds it.
import { proxyDurable } from "itty-durable";
import type { ReadingsLease } from "../core/tenant/readings-quota.ts";
import { type LimitUse, limitStateOf } from "../core/tenant/warn.ts";
import type { TenantAccess } from "../schemas/access.ts";
import type { ApiKey } from "../schemas/api-key.ts";
import type { BusyDevice, TenantRpc, TenantUse } from "../schemas/message.ts";
import { type SettingsChange, type TenantSettings, tenantSettings } from "../schemas/tenant.ts";
import type { LimitName } from "../schemas/tenant-limit.ts";
import type { Admission, Issuer, TenantRevokeOrder } from "../schemas/token.ts";
import { withDeadline } from "./with-deadline.ts";

/** Never await the stub itself: itty-durable answers `.then` too. The prefix keeps a name of 64 hex digits a name. */
const stubOf = (namespace: DurableObjectNamespace, tenant: string): TenantRpc =>
  proxyDurable(namespace, { parse: true }).get(`tenant/${tenant}`);

/** Returns the tenant's settings that hold: what was chosen, over the defaults. @throws when its object is away. */
export async function readSettings(
  namespace: DurableObjectNamespace,
  tenant: string,
): Promise<TenantSettings> {
  return tenantSettings.parse(await stubOf(namespace, tenant).settings());
}

/**
 * Changes the settings named and returns all that hold.
 * @throws when the tenant's object is away, or a value is out of its limits.
 */
export async function changeSettings(
  namespace: DurableObjectNamespace,
  tenant: string,
  change: SettingsChange,
): Promise<TenantSettings> {
  return tenantSettings.parse(await stubOf(namespace, tenant).change(change));
}

/**
 * Raises the version of the tenant's rules. Returns the version after it.
 * @throws when the tenant's object is away.
 */
export const changeRules = (namespace: DurableObjectNamespace, tenant: string): Promise<number> =>
  stubOf(namespace, tenant).changeRules();

/**
 * Asks for a share of what the tenant may send. `refused`: readings refused since the last time.
 * @throws when the tenant's object is away.
 */
export const leaseReadings = (
  namespace: DurableObjectNamespace,
  tenant: string,
  readings: number,
  refused: number,
): Promise<ReadingsLease> => stubOf(namespace, tenant).lease(readings, refused);

/**
 * Asks whether the tenant may have one device more, of this name. Returns true, and counts it, when it may.
 * @throws when the tenant's object or the registry is away.
 */
export const admitDevice = async (
  namespace: DurableObjectNamespace,
  tenant: string,
  device: string,
): Promise<boolean> => await stubOf(namespace, tenant).admit(device);

/** Tells the tenant's object that a device is gone. @throws when it is away. */
export const releaseDevice = async (
  namespace: DurableObjectNamespace,
  tenant: string,
  device: string,
): Promise<void> => {
  await stubOf(namespace, tenant).release(device);
};

/** Tells the tenant's object of a device that sends too much. @throws when it is away. */
export const tellBusy = async (
  namespace: DurableObjectNamespace,
  tenant: string,
  busy: BusyDevice,
): Promise<void> => {
  await stubOf(namespace, tenant).busy(busy);
};

/** How long somebody waits for the tenant to hear what it uses. */
const TOLD_MS = 2_000;

/**
 * Tells the tenant's object what it uses of a limit of `most`, when that is near it; else does nothing. Never throws: it
 * is looked at again later.
 */
export async function tellUse(
  namespace: DurableObjectNamespace,
  tenant: string,
  name: LimitName,
  { most, ...use }: LimitUse & { most: number },
): Promise<void> {
  if (limitStateOf(use, most, false) === "ok") return;
  try {
    await withDeadline(TOLD_MS, "the tenant", stubOf(namespace, tenant).seen(name, use.used, use.isRefused));
  } catch (error) {
    console.warn("a tenant was not told what it uses", { tenant, name, error: String(error) });
  }
}

/** Returns the tenant's object as who holds the warnings about its limits, as a zone holds its incidents. */
export const warningsOf = (
  namespace: DurableObjectNamespace,
  tenant: string,
): Pick<TenantRpc, "incident" | "told" | "refused"> => stubOf(namespace, tenant);

/** Returns who sends too much, and what was refused. @throws when the tenant's object is away. */
export const readUse = (namespace: DurableObjectNamespace, tenant: string): Promise<TenantUse> =>
  stubOf(namespace, tenant).used();

/**
 * Tells the tenant's object how many bytes of files it has. Returns the settings when its devices are to be told that
 * its storage is full, or has room again; else undefined.
 * @throws when it is away.
 */
export async function tellStored(
  namespace: DurableObjectNamespace,
  tenant: string,
  bytes: number,
): Promise<TenantSettings | undefined> {
  const settings = await stubOf(namespace, tenant).stored(bytes);
  return settings === null ? undefined : tenantSettings.parse(settings);
}

/**
 * Returns which tokens of the tenant's people are void, and how many streams it may have open.
 * @throws when the tenant's object is away.
 */
export const readRevoked = (namespace: DurableObjectNamespace, tenant: string): Promise<Admission> =>
  stubOf(namespace, tenant).revoked();

/**
 * Revokes tokens of a tenant. Returns the settings after it, which its devices are to be told; null when there would be
 * too many single ones: nothing changes.
 * @throws when the tenant's object is away.
 */
export async function revokeTokens(
  namespace: DurableObjectNamespace,
  tenant: string,
  order: TenantRevokeOrder,
): Promise<TenantSettings | null> {
  const { settings } = await stubOf(namespace, tenant).revoke(order);
  return settings === null ? null : tenantSettings.parse(settings);
}

/** Ends the tenant's life before `generation`. Returns the settings after it. @throws when the tenant's object is away. */
export async function endTenant(
  namespace: DurableObjectNamespace,
  tenant: string,
  generation: number,
): Promise<TenantSettings> {
  return tenantSettings.parse(await stubOf(namespace, tenant).end(generation));
}

/** Tells the tenant's object that its deletion is done. @throws when it is away. */
export const tenantEnded = async (
  namespace: DurableObjectNamespace,
  tenant: string,
  generation: number,
): Promise<void> => {
  await stubOf(namespace, tenant).ended(generation);
};

/** Returns who may sign tokens for the tenant's devices beside the deployment. @throws when the tenant's object is away. */
export const readIssuers = (namespace: DurableObjectNamespace, tenant: string): Promise<Issuer[]> =>
  stubOf(namespace, tenant).issuers();

/** Returns the tenant's API keys, the oldest first. @throws when the tenant's object is away. */
export const readApiKeys = (namespace: DurableObjectNamespace, tenant: string): Promise<ApiKey[]> =>
  stubOf(namespace, tenant).apiKeys();

/** Keeps a new API key. Returns false when the tenant has as many as it may. @throws when the tenant's object is away. */
export const addApiKey = async (
  namespace: DurableObjectNamespace,
  tenant: string,
  key: ApiKey,
): Promise<boolean> => await stubOf(namespace, tenant).addApiKey(key);

/** Forgets an API key. @throws when the tenant's object is away. */
export const dropApiKey = async (
  namespace: DurableObjectNamespace,
  tenant: string,
  id: string,
): Promise<void> => {
  await stubOf(namespace, tenant).dropApiKey(id);
};

/** Says that an API key is used. @throws when the tenant's object is away. */
export const useApiKey = async (
  namespace: DurableObjectNamespace,
  tenant: string,
  id: string,
): Promise<void> => {
  await stubOf(namespace, tenant).useApiKey(id);
};

/** Returns who of Cloudflare Access may do what. @throws when the tenant's object is away. */
export const readAccess = (namespace: DurableObjectNamespace, tenant: string): Promise<TenantAccess> =>
  stubOf(namespace, tenant).access();
