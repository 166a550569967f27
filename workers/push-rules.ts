// A change of the tenant's rules or settings → the devices it concerns are told, now or by the cron.
import { and, asc, eq, gt, or } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { RuleScope } from "../schemas/alert.ts";
import type { DeviceRpc, FleetRpc, TenantRules } from "../schemas/message.ts";
import { device as deviceTable, rulesPush } from "../schemas/tables.ts";
import type { TenantSettings } from "../schemas/tenant.ts";
import { askEach } from "./ask-each.ts";
import { inLanes } from "./lanes.ts";
import { readRules } from "./rules.ts";
import { sortedId } from "./sorted-id.ts";
import { changeRules, readSettings } from "./tenant.ts";
import { withDeadline } from "./with-deadline.ts";

/** What a push of rules needs. */
export interface PushEnv {
  CONTROL: D1Database;
  TENANT: DurableObjectNamespace;
  DEVICE: DurableObjectNamespace<DeviceRpc & Rpc.DurableObjectBranded>;
}

/** What a push to a whole fleet at once needs. */
export interface RelayEnv extends PushEnv {
  FLEET: DurableObjectNamespace<FleetRpc & Rpc.DurableObjectBranded>;
}

/** PERSISTED as a row of D1: a change of a tenant's rules, and how far its push is. */
export type RulesPush = typeof rulesPush.$inferSelect;

/** How far a push goes before somebody else goes on. */
interface Pace {
  devicesMax: number;
  /** Asked between some devices and the next, and given how many were told since; absent: never over. */
  isOver?: (told: number) => boolean;
  /** A device that could not be told: true leaves it, and all after it, to the next who pushes; else it asks by itself. */
  stopsAtFailure: boolean;
}

const PUSHED_AT_ONCE = 50;
const PAGE = 500;
const DEVICE_ANSWERS_MS = 5_000;

/** Most devices told by way of objects: their names are held at once, and 200 objects are called. */
const RELAYED_MAX = 100_000;
/** What one object tells: at 50 at once a second or so. More shares at once than these make one machine slower, not faster. */
const SHARE = 500;
const SHARES_AT_ONCE = 10;
const SHARE_TOLD_MS = 8_000;
const SHARE_ANSWERS_MS = SHARE_TOLD_MS + 1_000;
/** Devices that a push can be left to by their names: a statement of D1 takes 100 values. */
const NAMED_MAX = 40;

/**
 * Returns the row that says a change is to be pushed to the devices of `scopes`; ids sort by when they were made.
 * `version` of the rules; absent: they have changed, and it is raised.
 */
export const newPush = (
  tenant: string,
  scopes: readonly RuleScope[],
  nowMs: number,
  version: number | null = null,
): RulesPush => ({
  tenant,
  id: sortedId(nowMs),
  version,
  scopes: JSON.stringify(scopes),
  afterDevice: "",
});

/**
 * Notes that every device is to be told of the tenant's settings. Returns the push that is to follow.
 * @throws when D1 fails: devices hear of them within the hour.
 */
export async function noteSettings(
  control: D1Database,
  tenant: string,
  { rulesVersion }: Pick<TenantSettings, "rulesVersion">,
  nowMs: number,
): Promise<RulesPush> {
  const push = newPush(tenant, [{}], nowMs, rulesVersion);
  await drizzle(control).insert(rulesPush).values(push);
  return push;
}

/**
 * Pushes the tenant's rules and settings to the devices of the scopes, in the order of their names, and notes in D1 how far it
 * came. Returns true when all were told. A device ignores a version older than its own, so pushes may overtake each
 * other.
 * @throws when D1 or the tenant's object fails; a device that does not answer is only logged.
 */
export async function pushRules(env: PushEnv, push: RulesPush, pace: Pace): Promise<boolean> {
  const rules = await rulesOf(env, push);
  const reached = await pushTo(env, push, rules, pace);
  const { version } = rules;
  return await noteLeft(env, push, reached === undefined ? undefined : { version, afterDevice: reached });
}

/**
 * Pushes as `pushRules` does, to the first 100,000 devices at once: objects of the fleet tell 500 each, of up to 500 nobody
 * needs one. One that fails, or does not answer within nine seconds, stops no other. Costs a call for each device, and one
 * for each 500. Returns true when all were told; else the row names those that were not, or after which device they begin.
 * @throws when D1 or the tenant's object fails.
 */
export async function relayRules(env: RelayEnv, push: RulesPush): Promise<boolean> {
  const { tenant, afterDevice } = push;
  const rules = await rulesOf(env, push);
  const devices = await readScoped(env.CONTROL, tenant, JSON.parse(push.scopes), afterDevice, RELAYED_MAX);
  const isWhole = devices.length < RELAYED_MAX;
  const untold = await tellShares(env, tenant, devices, rules);
  if (isWhole && untold.size === 0) return await noteLeft(env, push, undefined);
  const { version } = rules;
  if (isWhole && untold.size <= NAMED_MAX) {
    const scopes = JSON.stringify([...untold].map((device) => ({ device })));
    return await noteLeft(env, push, { version, scopes });
  }
  const first = devices.findIndex((device) => untold.has(device));
  const told = first === -1 ? devices : devices.slice(0, first);
  return await noteLeft(env, push, { version, afterDevice: told.at(-1) ?? afterDevice });
}

/** Returns those that were not told. Never fails. */
async function tellShares(
  env: RelayEnv,
  tenant: string,
  devices: readonly string[],
  rules: TenantRules,
): Promise<Set<string>> {
  if (devices.length <= SHARE) return new Set(await tellEach(env.DEVICE, tenant, devices, rules));
  const shares = Array.from({ length: Math.ceil(devices.length / SHARE) }, (_, i) =>
    devices.slice(i * SHARE, (i + 1) * SHARE),
  );
  const untold = new Set<string>();
  await inLanes(shares, SHARES_AT_ONCE, async (share, i) => {
    const name = `${tenant}/${i}`; // no fleet's, whose name is the tenant's
    const telling = env.FLEET.getByName(name).tell(share, rules);
    const missing = await withDeadline(SHARE_ANSWERS_MS, name, telling).catch((error: unknown) => {
      console.warn("a share of the devices was not told", { name, error: String(error) });
      return share;
    });
    for (const device of missing) untold.add(device);
  });
  return untold;
}

/** Tells each of the devices, until eight seconds are over. Returns those that were not told. Never fails. Costs a call for each. */
export const tellEach = (
  objects: PushEnv["DEVICE"],
  tenant: string,
  devices: readonly string[],
  rules: TenantRules,
): Promise<string[]> =>
  askEach(
    devices,
    { atOnce: PUSHED_AT_ONCE, deadlineMs: SHARE_TOLD_MS },
    (device) => objects.getByName(`${tenant}/${device}`).setRules(rules),
    () => undefined,
  );

/** What a push tells. Settings and rules are read after the version is raised: they are at least as new. */
async function rulesOf(env: PushEnv, { tenant, version: raised }: RulesPush): Promise<TenantRules> {
  const version = raised ?? (await changeRules(env.TENANT, tenant));
  const [settings, rules] = await Promise.all([
    readSettings(env.TENANT, tenant),
    readRules(env.CONTROL, tenant),
  ]);
  return { version, rules, settings };
}

/** Notes what of a push is left. Returns true when nothing is. */
async function noteLeft(
  { CONTROL }: PushEnv,
  { tenant, id }: RulesPush,
  left: Partial<RulesPush> | undefined,
): Promise<boolean> {
  const table = drizzle(CONTROL);
  const isRow = and(eq(rulesPush.tenant, tenant), eq(rulesPush.id, id));
  if (left === undefined) await table.delete(rulesPush).where(isRow);
  else await table.update(rulesPush).set(left).where(isRow);
  return left === undefined;
}

/** The last device that is done with; undefined: there is none after it. */
async function pushTo(
  env: PushEnv,
  { tenant, scopes, afterDevice }: RulesPush,
  rules: TenantRules,
  { devicesMax, isOver = () => false, stopsAtFailure }: Pace,
): Promise<string | undefined> {
  let reached = afterDevice;
  for (let left = devicesMax; left > 0; ) {
    const asked = Math.min(PAGE, left);
    const devices = await readScoped(env.CONTROL, tenant, JSON.parse(scopes), reached, asked);
    for (let i = 0; i < devices.length; i += PUSHED_AT_ONCE) {
      const some = devices.slice(i, i + PUSHED_AT_ONCE);
      const told = await Promise.all(
        some.map((device) => sendRules(env.DEVICE, `${tenant}/${device}`, rules)),
      );
      if (stopsAtFailure && told.includes(false)) return reached;
      reached = some.at(-1)!;
      if (isOver(some.length)) return reached;
    }
    if (devices.length < asked) return undefined;
    left -= devices.length;
  }
  return reached;
}

async function sendRules(objects: PushEnv["DEVICE"], name: string, rules: TenantRules): Promise<boolean> {
  try {
    await withDeadline(DEVICE_ANSWERS_MS, name, objects.getByName(name).setRules(rules));
    return true;
  } catch (error) {
    console.warn("a device was not told of the rules", { name, error: String(error) });
    return false;
  }
}

/** Names of registered devices that one of the scopes names. */
async function readScoped(
  control: D1Database,
  tenant: string,
  scopes: RuleScope[],
  after: string,
  limit: number,
): Promise<string[]> {
  const fits = scopes.map(({ zone, model, device }) =>
    and(
      eq(deviceTable.tenant, tenant),
      zone === undefined ? undefined : eq(deviceTable.zone, zone),
      model === undefined ? undefined : eq(deviceTable.model, model),
      device === undefined ? undefined : eq(deviceTable.device, device),
    ),
  );
  const rows = await drizzle(control)
    .select({ device: deviceTable.device })
    .from(deviceTable)
    .where(and(eq(deviceTable.tenant, tenant), gt(deviceTable.device, after), or(...fits)))
    .orderBy(asc(deviceTable.device))
    .limit(limit);
  return rows.map(({ device }) => device);
}
