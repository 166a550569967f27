// The tenant's control object as typed calls, for every Worker that binds it.
import { proxyDurable } from "itty-durable";
import type { TenantRpc } from "../schemas/message.ts";
import { type TenantSettings, tenantSettings } from "../schemas/tenant.ts";

/** Never await the stub itself: itty-durable answers `.then` too. The prefix keeps a name of 64 hex digits a name. */
const stubOf = (namespace: DurableObjectNamespace, tenant: string): TenantRpc =>
  proxyDurable(namespace, { parse: true }).get(`tenant/${tenant}`);

export async function readSettings(
  namespace: DurableObjectNamespace,
  tenant: string,
): Promise<TenantSettings> {
  return tenantSettings.parse(await stubOf(namespace, tenant).settings());
}

export async function changeSettings(
  namespace: DurableObjectNamespace,
  tenant: string,
  change: Partial<TenantSettings>,
): Promise<TenantSettings> {
  return tenantSettings.parse(await stubOf(namespace, tenant).change(change));
}

/** @returns the version of the tenant's rules that holds from now on. */
export const changeRules = (namespace: DurableObjectNamespace, tenant: string): Promise<number> =>
  stubOf(namespace, tenant).changeRules();
