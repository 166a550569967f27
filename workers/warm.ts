// The warm databases: which one a device's rollups and files lie in, and all of them for questions about a fleet.
import { spreadOf } from "../core/device/seal.ts";

/**
 * Bindings `WARM_0`, `WARM_1` … without a gap: as many warm databases as a deployment binds. How many is settled before
 * the first device reports: with another number, the hash would look for devices where they are not.
 */
export type WarmEnv = { WARM_0: D1Database } & { [name: `WARM_${number}`]: D1Database };

/** Every warm database, in the order of their numbers. */
export function warmsOf(env: WarmEnv): D1Database[] {
  const databases: D1Database[] = [];
  for (let database: D1Database | undefined = env.WARM_0; database; ) {
    databases.push(database);
    database = env[`WARM_${databases.length}`];
  }
  return databases;
}

/** The number of the database, of `count`, that has a device's rollups and files. */
export const warmIndexOf = (tenant: string, device: string, count: number) =>
  Math.floor(spreadOf(`${tenant}/${device}`) * count);

/** The warm database that has a device's rollups and files. */
export function warmOf(env: WarmEnv, tenant: string, device: string): D1Database {
  const databases = warmsOf(env);
  return databases[warmIndexOf(tenant, device, databases.length)]!;
}
