// A tenant that is to be deleted → its life is over: storage refuses it, and its object voids every token.
import type { DeleteTenantSpec } from "../schemas/job.ts";
import { type tenant as tenantTable, WHOLE_TENANT } from "../schemas/tables.ts";
import type { TenantSettings } from "../schemas/tenant.ts";
import { endTenant } from "./tenant.ts";
import { type WarmEnv, warmsOf } from "./warm.ts";

/** What the end of a tenant needs. */
export type TenantsEnv = WarmEnv & { CONTROL: D1Database; TENANT: DurableObjectNamespace };

/** A row of the table of tenants. */
export type TenantRow = typeof tenantTable.$inferSelect;

/** Phases of the job in which a device or a stream may not know yet that its tenant is being deleted. */
export const UNTOLD_PHASES: readonly string[] = ["", "life", "devices", "streams"];

/** Returns the last generation of its devices that the deletion ends; the next life's devices begin with the one after it. */
export const lastLifeOf = ({ generation }: Pick<DeleteTenantSpec, "generation">) => generation - 1;

/**
 * Returns what a tombstone says while a deletion runs. When it is done it says `lastLifeOf`: a deletion of rows that comes
 * later, from a runner that was taken for dead, finds another generation and leaves the next life alone.
 */
export const fenceOf = (spec: Pick<DeleteTenantSpec, "generation">) => lastLifeOf(spec) - 1;

/**
 * Ends the life of a tenant before `spec.generation`: from here on queues drop what is of it, its object has forgotten what
 * it chose, and whoever asks that takes no token. Returns the settings that its devices are to be told. Repeated, it changes
 * nothing. Costs a row of each warm database, one of D1 and a call of the tenant's object.
 * @throws when D1 or the object are away: the call may be repeated.
 */
export async function endTenantLife(env: TenantsEnv, spec: DeleteTenantSpec): Promise<TenantSettings> {
  const { tenant, generation } = spec;
  for (const database of warmsOf(env))
    await database.prepare(SET_TOMBSTONE).bind(tenant, WHOLE_TENANT, fenceOf(spec)).run();
  await env.CONTROL.prepare(SET_ALERT_TOMBSTONE).bind(tenant, WHOLE_TENANT, lastLifeOf(spec)).run();
  return await endTenant(env.TENANT, tenant, generation);
}

/** While it is not finished, the archive's upkeep leaves the tenant's files alone. */
const SET_TOMBSTONE = `
  INSERT INTO tombstone (tenant, device, generation) VALUES (?1, ?2, ?3) ON CONFLICT (tenant, device)
  DO UPDATE SET generation = excluded.generation, finished_at = NULL WHERE excluded.generation > generation`;
const SET_ALERT_TOMBSTONE = `
  INSERT INTO alert_tombstone (tenant, device, generation) VALUES (?1, ?2, ?3) ON CONFLICT (tenant, device)
  DO UPDATE SET generation = excluded.generation WHERE excluded.generation > generation`;
