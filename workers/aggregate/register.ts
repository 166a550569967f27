// A device's first report → its row in the registry.
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { DeviceState } from "../../core/device/state.ts";
import type { ObjectProfile } from "../../schemas/message.ts";
import { device as deviceTable } from "../../schemas/tables.ts";

/**
 * Makes the row, or notes in one an operator made that the device has reported. Again: changes nothing. Gives what the
 * registry says of the device: an operator may have said it to an object that could not be reached.
 */
export async function register(database: D1Database, state: DeviceState): Promise<ObjectProfile> {
  const { tenant, device, profile, firstReceivedAt } = state;
  const rows = await drizzle(database)
    .insert(deviceTable)
    .values({ tenant, device, ...profile, createdAt: firstReceivedAt!, firstSeenAt: firstReceivedAt })
    .onConflictDoUpdate({
      target: [deviceTable.tenant, deviceTable.device],
      set: { firstSeenAt: sql`coalesce(${deviceTable.firstSeenAt}, excluded.first_seen_at)` },
    })
    .returning({
      zone: deviceTable.zone,
      name: deviceTable.name,
      model: deviceTable.model,
      gateway: deviceTable.gateway,
    });
  return rows[0]!;
}
