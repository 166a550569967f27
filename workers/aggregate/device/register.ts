// A device's first report → its row in the registry, and a deleted one's row → gone.
import { and, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { DeviceState } from "../../../core/device/state.ts";
import type { ObjectProfile } from "../../../schemas/message.ts";
import { device as deviceTable } from "../../../schemas/tables.ts";
import type { OwnRate } from "../../../schemas/tenant.ts";

/**
 * Makes the device's row, or notes in one an operator made that the device has reported; repeated, it changes
 * nothing. Returns the profile in the registry, which an operator may have changed while the object could not be
 * reached; undefined: the device's life was deleted with its tenant, and nothing is written.
 * @throws when D1 fails.
 */
export async function register(
  database: D1Database,
  { tenant, device, generation, profile, firstReceivedAt }: DeviceState,
): Promise<ObjectProfile | undefined> {
  const { zone, name, model, gateway = null, limits } = profile;
  const known = await database
    .prepare(REGISTER)
    .bind(
      tenant,
      device,
      zone,
      name,
      model,
      gateway,
      limits ? JSON.stringify(limits) : null,
      firstReceivedAt,
      generation,
    )
    .first<Omit<ObjectProfile, "limits"> & { limits: string | null }>();
  if (known === null) return undefined;
  return { ...known, limits: known.limits === null ? null : (JSON.parse(known.limits) as OwnRate) };
}

const REGISTER = `
  INSERT INTO device (tenant, device, zone, name, model, gateway, limits, created_at, first_seen_at)
  SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8
  WHERE NOT EXISTS (SELECT 1 FROM tenant WHERE tenant = ?1 AND generation > ?9)
  ON CONFLICT (tenant, device) DO UPDATE SET first_seen_at = coalesce(first_seen_at, excluded.first_seen_at)
  RETURNING zone, name, model, gateway, limits`;

/** Takes the device out of the registry; repeated, it changes nothing. @throws when D1 fails. */
export async function unregister(database: D1Database, { tenant, device }: DeviceState): Promise<void> {
  await drizzle(database)
    .delete(deviceTable)
    .where(and(eq(deviceTable.tenant, tenant), eq(deviceTable.device, device)));
}
