// A change of the tenant's rules or settings → the devices it concerns are told, now or by the cron.
import { and, asc, eq, gt, or } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { RuleScope } from "../schemas/alert.ts";
import type { DeviceRpc, TenantRules } from "../schemas/message.ts";
import { device as deviceTable, rulesPush } from "../schemas/tables.ts";
import type { TenantSettings } from "../schemas/tenant.ts";
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
  const { tenant, id } = push;
  // Both are read after the version is raised: they are at least as new.
  const version = push.version ?? (await changeRules(env.TENANT, tenant));
  const [settings, rules] = await Promise.all([
    readSettings(env.TENANT, tenant),
    readRules(env.CONTROL, tenant),
  ]);
  const reached = await pushTo(env, push, { version, rules, settings }, pace);
  const table = drizzle(env.CONTROL);
  const isRow = and(eq(rulesPush.tenant, tenant), eq(rulesPush.id, id));
  if (reached === undefined) await table.delete(rulesPush).where(isRow);
  else await table.update(rulesPush).set({ version, afterDevice: reached }).where(isRow);
  return reached === undefined;
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
