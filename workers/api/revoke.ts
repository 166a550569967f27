// What is to be revoked → the objects that judge by it: the tenant's first, then its devices, zones and fleet.
import type { Caller } from "../../core/token/verify.ts";
import type { TenantSettings } from "../../schemas/tenant.ts";
import type {
  Revocation,
  RevokeAnswer,
  RevokeOrder,
  TenantRevokeOrder,
  TokenEntry,
} from "../../schemas/token.ts";
import { wallMs } from "../clock.ts";
import { inLanes } from "../lanes.ts";
import { Problem } from "../problem.ts";
import { noteSettings, relayRules } from "../push-rules.ts";
import { revokeTokens } from "../tenant.ts";
import { withDeadline } from "../with-deadline.ts";
import type { ApiEnv } from "./env.ts";
import { revokeKeys } from "./provisioning-keys.ts";
import { readZones } from "./registry.ts";
import { toldWithin } from "./rules.ts";
import { markRevoked, readTokens } from "./token-list.ts";

/** Longer than a change of settings is waited for: who revokes wants to know that it holds. */
const DEVICES_TOLD_MS = 10_000;
const OBJECT_ANSWERS_MS = 5_000;
/** Most zones a request tells; the others ask when they next renew their leases, within five minutes. */
const ZONES_MAX = 500;
const ZONES_AT_ONCE = 50;
const DEVICES_AT_ONCE = 50;

/**
 * Revokes a device's own tokens; durable, and its sockets closed, when it resolves. Costs a call of its object and a row.
 * @throws Problem `unavailable`, or `conflict`: too many of its tokens are revoked one by one.
 */
export async function revokeDevice(
  env: ApiEnv,
  tenant: string,
  device: string,
  order: RevokeOrder,
): Promise<void> {
  const isDone = await answering(device, env.DEVICE.getByName(`${tenant}/${device}`).revoke(order));
  if (isDone) return;
  throw new Problem(
    "conflict",
    `too many tokens of ${device} are revoked one by one; POST /v1/devices/${device}/revoke revokes all it has`,
  );
}

/**
 * Revokes everything of the tenant that was issued before now. Costs a call and a row for each registered device, 100,000
 * of them in the request and the others by the cron, a call for each 500 of them and each zone, and a row for each token and
 * provisioning key that is listed.
 * @throws Problem `unavailable`: it may be asked again.
 */
export async function revokeAll(
  env: ApiEnv,
  context: Pick<ExecutionContext, "waitUntil">,
  { tenant }: Caller,
): Promise<RevokeAnswer> {
  const notBeforeMs = wallMs();
  const told = await revokeTenant(env, context, tenant, { notBeforeMs });
  await markRevoked(env.CONTROL, tenant, { notBeforeMs }, notBeforeMs);
  await revokeKeys(env.CONTROL, tenant, notBeforeMs);
  return { notBefore: notBeforeMs, told, own: true };
}

/**
 * Revokes tokens by their ids: a device's with its object, a gateway's with all devices, a person's with the tenant. One that
 * is revoked or expired stays so. Costs a call for each device that they are of.
 * @throws Problem `token_not_found`, which names one: nothing was revoked; `conflict`, `unavailable`: some may be, and it may
 * be asked again.
 */
export async function revokeIds(
  env: ApiEnv,
  context: Pick<ExecutionContext, "waitUntil">,
  { tenant, id: own }: Caller,
  ids: readonly string[],
): Promise<RevokeAnswer> {
  const now = wallMs();
  const found = await readTokens(env.CONTROL, tenant, ids);
  const known = new Set(found.map(({ id }) => id));
  const unknown = ids.find((id) => !known.has(id));
  if (unknown !== undefined) {
    throw new Problem(
      "token_not_found",
      `no token ${unknown} was made here, or it has expired; nothing was revoked`,
    );
  }
  // Those that were revoked before are told of again: not all may have heard of it.
  const held = found.filter(({ expiresAt }) => expiresAt > now);
  const orderOf = (fits: (token: TokenEntry) => boolean) =>
    held.filter(fits).map(({ id, expiresAt }) => ({ id, expiresAt }));
  const devices = [...new Set(held.flatMap(({ device }) => device ?? []))];
  await inLanes(devices, DEVICES_AT_ONCE, (device) =>
    revokeDevice(env, tenant, device, { ids: orderOf((token) => token.device === device) }),
  );
  const gateways = orderOf(({ role }) => role === "gateway");
  const people = orderOf(({ role }) => role !== "gateway" && role !== "device");
  const isTenants = gateways.length > 0 || people.length > 0;
  const told = !isTenants || (await revokeTenant(env, context, tenant, { ids: gateways, people }));
  await markRevoked(env.CONTROL, tenant, { ids: held.map(({ id }) => id) }, now);
  return { ids: found.map(({ id }) => id), told, own: own !== undefined && known.has(own) };
}

/**
 * Has the tenant's object revoke, and tells those who judge by it. Returns whether all were told.
 * @throws Problem `unavailable`, or `conflict`: too many tokens are revoked one by one.
 */
export async function revokeTenant(
  env: ApiEnv,
  context: Pick<ExecutionContext, "waitUntil">,
  tenant: string,
  order: TenantRevokeOrder,
): Promise<boolean> {
  const settings = await answering("the tenant's object", revokeTokens(env.TENANT, tenant, order));
  if (settings === null) {
    throw new Problem(
      "conflict",
      "too many tokens are revoked one by one; POST /v1/tokens/revoke without ids revokes all there are",
    );
  }
  const concernsDevices = order.notBeforeMs !== undefined || (order.ids ?? []).length > 0;
  const revoked = { notBeforeMs: settings.tokens?.notBeforeMs ?? 0, ids: order.people ?? [] };
  return await tellRevoked(env, context, tenant, { settings: concernsDevices ? settings : null, revoked });
}

/**
 * Tells devices and streams what is revoked; `settings` null: no device has to know. Returns whether all were told.
 * @throws when D1 fails.
 */
export async function tellRevoked(
  env: ApiEnv,
  context: Pick<ExecutionContext, "waitUntil">,
  tenant: string,
  { settings, revoked }: { settings: TenantSettings | null; revoked: Revocation },
): Promise<boolean> {
  const push = settings !== null && (await noteSettings(env.CONTROL, tenant, settings, wallMs()));
  const told = await Promise.all([
    !push || toldWithin(DEVICES_TOLD_MS, context, push, relayRules(env, push)),
    endStreams(env, tenant, revoked),
  ]);
  return !told.includes(false);
}

/** Ends the streams of zones and fleet whose tokens are void. Returns false when not all objects were told. Never fails. */
export async function endStreams(env: ApiEnv, tenant: string, revoked: Revocation): Promise<boolean> {
  try {
    const zones = await readZones(env.CONTROL, tenant);
    const objects = [
      { name: "fleet", object: env.FLEET.getByName(tenant) },
      ...zones
        .slice(0, ZONES_MAX)
        .map(({ zone }) => ({ name: zone, object: env.ZONE.getByName(`${tenant}/${zone}`) })),
    ];
    await inLanes(objects, ZONES_AT_ONCE, async ({ name, object }) => {
      await withDeadline(OBJECT_ANSWERS_MS, name, object.endVoid(revoked));
    });
    return zones.length <= ZONES_MAX;
  } catch (error) {
    console.warn("not all streams were told; they ask", { tenant, error: String(error) });
    return false;
  }
}

/** @throws Problem `unavailable` when it fails or does not answer. */
async function answering<T>(who: string, call: Promise<T>): Promise<T> {
  try {
    return await withDeadline(OBJECT_ANSWERS_MS, who, call);
  } catch (error) {
    console.error("not known to be revoked", { who, error: String(error) });
    throw new Problem(
      "unavailable",
      `${who} is away, and nothing is known to be revoked; ask the same again`,
    );
  }
}
