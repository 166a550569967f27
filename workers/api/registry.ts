// The registry in D1: devices, their zones and names.
import { and, asc, count, eq, gt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { DEFAULT_ZONE } from "../../core/device/state.ts";
import type { RuleScope } from "../../schemas/alert.ts";
import type { DeviceEntry, DeviceProfile } from "../../schemas/query.ts";
import { device as deviceTable } from "../../schemas/tables.ts";
import { fromStorage } from "./storage.ts";

type Row = typeof deviceTable.$inferSelect;

export async function readDevice(
  database: D1Database,
  tenant: string,
  device: string,
): Promise<DeviceEntry | undefined> {
  const rows = await fromStorage(
    "D1",
    drizzle(database)
      .select()
      .from(deviceTable)
      .where(and(eq(deviceTable.tenant, tenant), eq(deviceTable.device, device))),
  );
  return rows[0] === undefined ? undefined : entryOf(rows[0]);
}

/** A page of devices by name; `next` is the cursor of the page after it, null at the end. */
export async function readDevices(
  database: D1Database,
  tenant: string,
  { zone, after, limit }: { zone?: string | undefined; after?: string | undefined; limit: number },
): Promise<{ devices: DeviceEntry[]; next: string | null }> {
  const rows = await fromStorage(
    "D1",
    drizzle(database)
      .select()
      .from(deviceTable)
      .where(
        and(
          eq(deviceTable.tenant, tenant),
          zone === undefined ? undefined : eq(deviceTable.zone, zone),
          after === undefined ? undefined : gt(deviceTable.device, after),
        ),
      )
      .orderBy(asc(deviceTable.device))
      .limit(limit + 1),
  );
  const devices = rows.slice(0, limit).map(entryOf);
  return { devices, next: rows.length > limit ? devices.at(-1)!.device : null };
}

/** The first devices by name that a rule of this scope concerns. */
export async function readScopedDevices(
  database: D1Database,
  tenant: string,
  scope: RuleScope,
  limit: number,
): Promise<DeviceEntry[]> {
  const fits = Object.entries(scope).map(([column, value]) =>
    eq(deviceTable[column as keyof RuleScope], value),
  );
  const rows = await fromStorage(
    "D1",
    drizzle(database)
      .select()
      .from(deviceTable)
      .where(and(eq(deviceTable.tenant, tenant), ...fits))
      .orderBy(asc(deviceTable.device))
      .limit(limit),
  );
  return rows.map(entryOf);
}

export async function readZones(
  database: D1Database,
  tenant: string,
): Promise<{ zone: string; devices: number }[]> {
  return await fromStorage(
    "D1",
    drizzle(database)
      .select({ zone: deviceTable.zone, devices: count() })
      .from(deviceTable)
      .where(eq(deviceTable.tenant, tenant))
      .groupBy(deviceTable.zone)
      .orderBy(asc(deviceTable.zone)),
  );
}

/** Writes what is named and keeps the rest; a device nobody knew is registered. */
export async function writeDevice(
  database: D1Database,
  tenant: string,
  device: string,
  { location, ...named }: DeviceProfile,
  createdAt: number,
): Promise<DeviceEntry> {
  const place =
    location === undefined
      ? {}
      : { latitude: location?.latitude ?? null, longitude: location?.longitude ?? null };
  const set = { ...named, ...place };
  const insert = drizzle(database)
    .insert(deviceTable)
    .values({ tenant, device, zone: DEFAULT_ZONE, createdAt, ...set });
  const target = [deviceTable.tenant, deviceTable.device];
  const rows = await fromStorage(
    "D1",
    insert.onConflictDoUpdate({ target, set: Object.keys(set).length === 0 ? { device } : set }).returning(),
  );
  return entryOf(rows[0]!);
}

function entryOf({ device, zone, name, model, latitude, longitude, firstSeenAt, gateway }: Row): DeviceEntry {
  const location = latitude === null || longitude === null ? null : { latitude, longitude };
  return { device, zone, name, model, location, firstSeenAt, gateway };
}
