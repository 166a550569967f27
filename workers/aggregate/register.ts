// A device's first report → its row in the registry.
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { DeviceState } from "../../core/device/state.ts";
import { device as deviceTable } from "../../schemas/tables.ts";

/** Makes the row, or notes in one an operator made that the device has reported. Again: changes nothing. */
export async function register(database: D1Database, state: DeviceState): Promise<void> {
  const { tenant, device, profile, firstReceivedAt } = state;
  await drizzle(database)
    .insert(deviceTable)
    .values({ tenant, device, ...profile, createdAt: firstReceivedAt!, firstSeenAt: firstReceivedAt })
    .onConflictDoUpdate({
      target: [deviceTable.tenant, deviceTable.device],
      set: { firstSeenAt: sql`excluded.first_seen_at` },
      setWhere: sql`${deviceTable.firstSeenAt} IS NULL`,
    });
}
