// The warm databases: which one a device's rollups and files lie in, and all of them for questions about a fleet.
import { spreadOf } from "../core/spread.ts";

/**
 * Bindings `WARM_0`, `WARM_1` … without a gap: as many warm databases as a deployment binds. How many is settled before
 * the first device reports: with another number, the hash would look for devices where they are not.
 */
export type WarmEnv = { WARM_0: D1Database } & { [name: `WARM_${number}`]: D1Database };

/** Returns every warm database, in the order of their numbers. */
export function warmsOf(env: WarmEnv): D1Database[] {
  const databases: D1Database[] = [];
  for (let database: D1Database | undefined = env.WARM_0; database; ) {
    databases.push(database);
    database = env[`WARM_${databases.length}`];
  }
  return databases;
}

/**
 * Returns the number of the warm database, of `count`, that has a device's rollups and files: by a hash of both names.
 */
export const warmIndexOf = (tenant: string, device: string, count: number) =>
  Math.floor(spreadOf(`${tenant}/${device}`) * count);

/** Returns the warm database that has a device's rollups and files. */
export function warmOf(env: WarmEnv, tenant: string, device: string): D1Database {
  const databases = warmsOf(env);
  return databases[warmIndexOf(tenant, device, databases.length)]!;
}
