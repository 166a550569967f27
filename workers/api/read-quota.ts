// What a tenant may, has, and was refused; and which of its devices send too much.
import { limitStateOf } from "../../core/tenant/warn.ts";
import type { DeviceEntry } from "../../schemas/query.ts";
import type { QuotaAnswer } from "../../schemas/tenant.ts";
import { type LimitName, limitName } from "../../schemas/tenant-limit.ts";
import { countViewers } from "../count-viewers.ts";
import { readStoredBytes } from "../read-stored-bytes.ts";
import { readSettings, readUse } from "../tenant.ts";
import type { ApiEnv } from "./env.ts";
import { readEntries } from "./registry.ts";
import { fromStorage } from "./storage.ts";

/** Most hot devices that are listed. */
const HOT_LISTED_MAX = 1_000;

/**
 * Returns what the tenant may, what it has, and what was refused. Reads a row of D1 for each device and each file of
 * the tenant, and calls each of its zones.
 * @throws Problem `unavailable`.
 */
export async function readQuota(env: ApiEnv, tenant: string): Promise<QuotaAnswer> {
  const count = env.CONTROL.prepare("SELECT count(*) AS devices FROM device WHERE tenant = ?1").bind(tenant);
  const [
    { limits },
    { hot, warned, refusing, readingsPerSecond, ...refusals },
    devices,
    storageBytes,
    viewers,
  ] = await Promise.all([
    readSettings(env.TENANT, tenant),
    readUse(env.TENANT, tenant),
    fromStorage("D1", count.first<number>("devices")),
    fromStorage("D1", readStoredBytes(env, tenant)),
    fromStorage("D1", countViewers(env, tenant)),
  ]);
  const use = { devices: devices!, storageBytes, viewers, readingsPerSecond };
  const stateOf = (name: LimitName) =>
    limitStateOf(
      { used: use[name], isRefused: refusing.includes(name) },
      limits[name],
      warned.includes(name),
    );
  const states = Object.fromEntries(limitName.options.map((name) => [name, stateOf(name)]));
  return {
    limits,
    use: { ...use, hotDevices: hot.length },
    states: states as QuotaAnswer["states"],
    ...refusals,
  };
}

/** Returns the devices that send too much, the hottest first, at most a thousand. @throws Problem `unavailable`. */
export async function readHotDevices(env: ApiEnv, tenant: string): Promise<DeviceEntry[]> {
  const { hot } = await readUse(env.TENANT, tenant);
  const listed = hot.slice(0, HOT_LISTED_MAX);
  const entries = await readEntries(
    env.CONTROL,
    tenant,
    listed.map(({ device }) => device),
  );
  return listed.flatMap(({ device, reportsPerSecond }) => {
    const entry = entries.get(device);
    return entry === undefined ? [] : [{ ...entry, reportsPerSecond }];
  });
}
