// The registry in D1: devices, their zones and names.
import { and, asc, count, eq, gt, gte, lt, or, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { DEFAULT_ZONE } from "../../core/device/state.ts";
import type { RuleScope } from "../../schemas/alert.ts";
import type { DeviceEntry, DeviceProfile, NewDevice } from "../../schemas/query.ts";
import { device as deviceTable } from "../../schemas/tables.ts";
import { ownRate } from "../../schemas/tenant.ts";
import { fromStorage } from "./storage.ts";

type Row = typeof deviceTable.$inferSelect;

/** Returns a device's row of the registry; undefined: there is none. @throws Problem `unavailable`. */
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

/**
 * Returns a page of devices by id; `next` is the `after` of the page after it, null at the end. A search reads the
 * tenant's rows in that order until the page is full: all of them when few match.
 */
export async function readDevices(
  database: D1Database,
  tenant: string,
  { zone, search, after, limit }: ListedDevices,
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
          search === undefined ? undefined : matches(search),
          after === undefined ? undefined : gt(deviceTable.device, after),
        ),
      )
      .orderBy(asc(deviceTable.device))
      .limit(limit + 1),
  );
  const devices = rows.slice(0, limit).map(entryOf);
  return { devices, next: rows.length > limit ? devices.at(-1)!.device : null };
}

interface ListedDevices {
  zone?: string | undefined;
  search?: string | undefined;
  after?: string | undefined;
  limit: number;
}

/** The text is in the id or in the name, A–Z in either case. */
function matches(search: string): SQL | undefined {
  // D1 takes no LIKE pattern longer than 50 bytes.
  const isIn = (column: typeof deviceTable.device | typeof deviceTable.name) =>
    sql`instr(lower(${column}), lower(${search})) > 0`;
  return or(isIn(deviceTable.device), isIn(deviceTable.name));
}

/** Returns the first `limit` devices, by id, that a rule of this scope concerns. */
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

/**
 * Returns the first devices of the tenant, or of a zone, by id; `device`: those whose id begins with it. Reads at
 * most `limit` rows.
 */
export async function readFirstDevices(
  database: D1Database,
  tenant: string,
  { zone, device: prefix }: Pick<RuleScope, "zone" | "device">,
  limit: number,
): Promise<Pick<Row, "device" | "name" | "model">[]> {
  const { device, name, model } = deviceTable;
  return await fromStorage(
    "D1",
    drizzle(database)
      .select({ device, name, model })
      .from(deviceTable)
      .where(
        and(
          eq(deviceTable.tenant, tenant),
          zone === undefined ? undefined : eq(deviceTable.zone, zone),
          // No character of an id sorts after the tilde.
          ...(prefix === undefined ? [] : [gte(device, prefix), lt(device, `${prefix}~`)]),
        ),
      )
      .orderBy(asc(device))
      .limit(limit),
  );
}

/** Returns the rows of those of the devices that the registry has. Reads a row for each of `devices`. */
export async function readEntries(
  database: D1Database,
  tenant: string,
  devices: readonly string[],
): Promise<Map<string, DeviceEntry>> {
  const rows = await fromStorage(
    "D1",
    drizzle(database)
      .select()
      .from(deviceTable)
      .where(
        and(
          eq(deviceTable.tenant, tenant),
          sql`${deviceTable.device} IN (SELECT value FROM json_each(${JSON.stringify(devices)}))`,
        ),
      ),
  );
  return new Map(rows.map((row) => [row.device, entryOf(row)]));
}

/**
 * Returns how many devices the tenant has, and how many of `names` are none of them; what is no text is no name. Reads a
 * row for each device of the tenant and each name.
 */
export async function countWith(
  database: D1Database,
  tenant: string,
  names: readonly unknown[],
): Promise<{ known: number; fresh: number }> {
  const select = database.prepare(COUNT_WITH).bind(tenant, JSON.stringify(names));
  return (await fromStorage("D1", select.first<{ known: number; fresh: number }>()))!;
}

const COUNT_WITH = `
  SELECT (SELECT count(*) FROM device WHERE tenant = ?1) AS known,
    (SELECT count(DISTINCT value) FROM json_each(?2)
      WHERE type = 'text' AND value NOT IN (SELECT device FROM device WHERE tenant = ?1)) AS fresh`;

/** Returns what people call those of the devices that have a name. Reads a row for each of `devices`. */
export async function readDeviceNames(
  database: D1Database,
  tenant: string,
  devices: readonly string[],
): Promise<Record<string, string>> {
  if (devices.length === 0) return {};
  const select = database
    .prepare(
      `SELECT device, name FROM json_each(?2) JOIN device ON tenant = ?1 AND device = value WHERE name IS NOT NULL`,
    )
    .bind(tenant, JSON.stringify(devices));
  const { results } = await fromStorage("D1", select.all<{ device: string; name: string }>());
  return Object.fromEntries(results.map(({ device, name }) => [device, name]));
}

/** Returns the tenant's zones by name, and how many devices each has. @throws Problem `unavailable`. */
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

/** Writes the fields named and keeps the rest; a device nobody knew is registered. Returns its row. */
export async function writeDevice(
  database: D1Database,
  tenant: string,
  device: string,
  { location, limits, ...named }: DeviceProfile,
  createdAt: number,
): Promise<DeviceEntry> {
  const place =
    location === undefined
      ? {}
      : { latitude: location?.latitude ?? null, longitude: location?.longitude ?? null };
  const rate = limits === undefined ? {} : { limits: limits && JSON.stringify(limits) };
  const set = { ...named, ...place, ...rate };
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

/** A string that a statement takes has 2 MB (D1 limits, 2026-11): a thousand devices have half of that at most. */
const INSERTED_AT_ONCE = 1_000;

/**
 * Registers devices that are not known yet, in one transaction; those that are known stay as they are. Returns the ids of
 * those it made. Their objects are not called: each reads its row with its first report. Costs two rows for each.
 */
export async function insertDevices(
  database: D1Database,
  tenant: string,
  devices: readonly NewDevice[],
  createdAt: number,
): Promise<Set<string>> {
  const statements: D1PreparedStatement[] = [];
  for (let i = 0; i < devices.length; i += INSERTED_AT_ONCE) {
    const some = JSON.stringify(devices.slice(i, i + INSERTED_AT_ONCE));
    statements.push(database.prepare(INSERT_DEVICES).bind(tenant, some, DEFAULT_ZONE, createdAt));
  }
  const results = await fromStorage("D1", database.batch<{ device: string }>(statements), INSERTED_MS);
  return new Set(results.flatMap(({ results: made }) => made.map(({ device }) => device)));
}

/** Thousands of rows take longer than a question. */
const INSERTED_MS = 20_000;
const INSERT_DEVICES = `
  INSERT INTO device (tenant, device, zone, name, model, latitude, longitude, gateway, created_at)
  SELECT ?1, value ->> 'device', coalesce(value ->> 'zone', ?3), value ->> 'name', value ->> 'model',
    value ->> '$.location.latitude', value ->> '$.location.longitude', value ->> 'gateway', ?4
  FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING RETURNING device`;

function entryOf({
  latitude,
  longitude,
  limits,
  tenant: _tenant,
  createdAt: _createdAt,
  claimHash: _claimHash,
  claimToken: _claimToken,
  ...row
}: Row): DeviceEntry {
  const location = latitude === null || longitude === null ? null : { latitude, longitude };
  return { ...row, location, limits: limits === null ? null : ownRate.parse(JSON.parse(limits)) };
}
