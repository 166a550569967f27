// A change of the tenant's rules → the devices it concerns are told, now or by the cron.
import { and, asc, eq, gt, or } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { RuleScope } from "../schemas/alert.ts";
import type { DeviceRpc, TenantRules } from "../schemas/message.ts";
import { device as deviceTable, rulesPush } from "../schemas/tables.ts";
import { readRules } from "./rules.ts";
import { sortedId } from "./sorted-id.ts";
import { changeRules } from "./tenant.ts";
import { within } from "./within.ts";

export interface PushEnv {
  CONTROL: D1Database;
  TENANT: DurableObjectNamespace;
  DEVICE: DurableObjectNamespace<DeviceRpc & Rpc.DurableObjectBranded>;
}

export type RulesPush = typeof rulesPush.$inferSelect;

/** How far a push goes before somebody else goes on. */
interface Pace {
  devicesMax: number;
  /** Looked at between some devices and the next. */
  isOver?: () => boolean;
  /** A device that could not be told: true leaves it, and all after it, to the next who pushes; else it asks by itself. */
  stopsAtFailure: boolean;
}

const PUSHED_AT_ONCE = 50;
const PAGE = 500;
const DEVICE_ANSWERS_MS = 5_000;

/** The row that says a change is to be told; ids sort by when they were made. */
export const newPush = (tenant: string, scopes: readonly RuleScope[], nowMs: number): RulesPush => ({
  tenant,
  id: sortedId(nowMs),
  version: null,
  scopes: JSON.stringify(scopes),
  afterDevice: "",
});

/**
 * Tells the devices of the scopes, by name, and notes in D1 how far it came; true: all of them. Devices know a version
 * older than theirs, so pushes may overtake each other.
 */
export async function pushRules(env: PushEnv, push: RulesPush, pace: Pace): Promise<boolean> {
  const { tenant, id } = push;
  // The rules are read after the version is raised: they are at least as new.
  const version = push.version ?? (await changeRules(env.TENANT, tenant));
  const rules = { version, rules: await readRules(env.CONTROL, tenant) };
  const reached = await pushTo(env, push, rules, pace);
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
      const told = await Promise.all(some.map((device) => tell(env.DEVICE, `${tenant}/${device}`, rules)));
      if (stopsAtFailure && told.includes(false)) return reached;
      reached = some.at(-1)!;
      if (isOver()) return reached;
    }
    if (devices.length < asked) return undefined;
    left -= devices.length;
  }
  return reached;
}

async function tell(objects: PushEnv["DEVICE"], name: string, rules: TenantRules): Promise<boolean> {
  try {
    await within(DEVICE_ANSWERS_MS, name, objects.getByName(name).setRules(rules));
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
