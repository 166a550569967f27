// A device's first report → its row in the registry, and a deleted one's row → gone.
import { and, eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { DeviceState } from "../../../core/device/state.ts";
import type { ObjectProfile } from "../../../schemas/message.ts";
import { device as deviceTable } from "../../../schemas/tables.ts";
import type { OwnRate } from "../../../schemas/tenant.ts";

/**
 * Makes the device's row, or notes in one an operator made that the device has reported; repeated, it changes
 * nothing. Returns the profile in the registry, which an operator may have changed while the object could not be
 * reached.
 * @throws when D1 fails.
 */
export async function register(database: D1Database, state: DeviceState): Promise<ObjectProfile> {
  const { tenant, device, profile, firstReceivedAt } = state;
  const { limits, ...named } = profile;
  const rows = await drizzle(database)
    .insert(deviceTable)
    .values({
      tenant,
      device,
      ...named,
      limits: limits ? JSON.stringify(limits) : null,
      createdAt: firstReceivedAt!,
      firstSeenAt: firstReceivedAt,
    })
    .onConflictDoUpdate({
      target: [deviceTable.tenant, deviceTable.device],
      set: { firstSeenAt: sql`coalesce(${deviceTable.firstSeenAt}, excluded.first_seen_at)` },
    })
    .returning({
      zone: deviceTable.zone,
      name: deviceTable.name,
      model: deviceTable.model,
      gateway: deviceTable.gateway,
      limits: deviceTable.limits,
    });
  const known = rows[0]!;
  return { ...known, limits: known.limits === null ? null : (JSON.parse(known.limits) as OwnRate) };
}

/** Takes the device out of the registry; repeated, it changes nothing. @throws when D1 fails. */
export async function unregister(database: D1Database, { tenant, device }: DeviceState): Promise<void> {
  await drizzle(database)
    .delete(deviceTable)
    .where(and(eq(deviceTable.tenant, tenant), eq(deviceTable.device, device)));
}
