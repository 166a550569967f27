// Dirty hours → the hours of zones and of the fleet, each computed anew from what storage has.
import { dateOf } from "../../core/archive/key.ts";
import { BUCKET_MS_MAX, HOUR_MS } from "../../core/window/align.ts";
import {
  mergeZoneHours,
  packZoneMetrics,
  unpackZoneMetrics,
  type ZoneHour,
  ZoneHourBuilder,
} from "../../core/window/zone-hour.ts";
import { FLEET } from "../../schemas/tables.ts";
import { wallMs } from "../clock.ts";
import { warmsOf } from "../warm.ts";
import { within } from "../within.ts";
import type { Turn } from "./chores.ts";

/** Devices whose rollups are read at once: a thousand metrics each would take 150 KB a device. */
const DEVICES_A_PAGE = 100;
const HOURS_A_PAGE = 1_000;
/** An hour of a fleet of a hundred thousand devices is a thousand pages. */
const HOUR_ANSWERS_MS = 120_000;

interface Hour {
  tenant: string;
  hourMs: number;
}

/** Where a turn stopped: the warm database's number, its zones or its fleets, and the hour last seen to. */
type Place = Hour & { number: number; isFleet: boolean };

const START: Place = { number: 0, isFleet: false, tenant: "", hourMs: 0 };

/**
 * One pass over the marks of each warm database, first those of zones and then those of fleets, an hour at a time, the
 * zones of an hour together: its rollups are read once. Whoever stores a block meanwhile takes the mark away, and the hour
 * is computed again. An hour that fails costs no other: its mark stays for the next pass.
 */
export async function computeZoneHours({ env, cursor, untilMs }: Turn): Promise<string> {
  let place: Place = cursor === "" ? START : JSON.parse(cursor);
  const databases = warmsOf(env);
  while (place.number < databases.length) {
    const database = databases[place.number]!;
    const hours = await dirtyAfter(database, place, place.isFleet);
    for (const hour of hours) {
      if (wallMs() >= untilMs) return JSON.stringify(place);
      try {
        const computing = (place.isFleet ? computeFleetHour : computeHour)(database, hour);
        await within(HOUR_ANSWERS_MS, "D1", computing);
      } catch (error) {
        console.error("hour not computed; the next pass tries again", { ...hour, error: String(error) });
      }
      place = { ...place, ...hour };
    }
    if (hours.length > 0) continue;
    place = place.isFleet
      ? { ...START, number: place.number + 1 }
      : { ...START, number: place.number, isFleet: true };
  }
  return "";
}

async function dirtyAfter(database: D1Database, after: Hour, isFleet: boolean): Promise<Hour[]> {
  const { results } = await database
    .prepare(
      `SELECT DISTINCT tenant, hour_ms AS hourMs FROM dirty_hour
       WHERE (tenant, hour_ms) > (?1, ?2) AND (zone = ?3) = ?4 ORDER BY tenant, hour_ms LIMIT ?5`,
    )
    .bind(after.tenant, after.hourMs, FLEET, isFleet ? 1 : 0, HOURS_A_PAGE)
    .all<Hour>();
  return results;
}

/** Computes the dirty zones of an hour. */
async function computeHour(database: D1Database, { tenant, hourMs }: Hour): Promise<void> {
  const token = newToken();
  const { results: taken } = await database
    .prepare(
      "UPDATE dirty_hour SET taken_by = ?1 WHERE tenant = ?2 AND hour_ms = ?3 AND zone <> ?4 RETURNING zone",
    )
    .bind(token, tenant, hourMs, FLEET)
    .all<{ zone: string }>();
  const builders = new Map(taken.map(({ zone }) => [zone, new ZoneHourBuilder(hourMs)]));
  for (let after = ""; ; ) {
    const devices = await devicesAfter(database, tenant, after);
    if (devices.length === 0) break;
    await addDevices(database, tenant, hourMs, devices, builders);
    after = devices.at(-1)!;
  }
  await commit(database, token, { tenant, hourMs }, [...builders], [FLEET]);
}

/** Adds the rollups of a page of devices to their zones' hours. */
async function addDevices(
  database: D1Database,
  tenant: string,
  hourMs: number,
  devices: readonly string[],
  builders: ReadonlyMap<string, ZoneHourBuilder>,
): Promise<void> {
  const { results: rows } = await database
    .prepare(SELECT_ROLLUPS)
    .bind(tenant, JSON.stringify(devices), hourMs - BUCKET_MS_MAX, hourMs, hourMs + HOUR_MS)
    .all<{ device: string; zone: string; summaries: string }>();
  const byDevice = Map.groupBy(rows, ({ zone, device }) => `${zone}/${device}`);
  for (const own of byDevice.values()) {
    builders.get(own[0]!.zone)?.add(own.map(({ summaries }) => summaries));
  }
}

const SELECT_ROLLUPS = `
  SELECT rollup.device, rollup.zone, rollup.summaries FROM json_each(?2) AS name
  CROSS JOIN rollup ON rollup.tenant = ?1 AND rollup.device = name.value
    AND rollup.start_ms > ?3 AND rollup.start_ms < ?5 AND rollup.end_ms > ?4
  ORDER BY rollup.device, rollup.start_ms`;

/** A page of the devices that have rollups, by name: one look-up a device, for their rollups are many. */
export async function devicesAfter(database: D1Database, tenant: string, after: string): Promise<string[]> {
  const { results } = await database
    .prepare(SELECT_DEVICES)
    .bind(tenant, after, DEVICES_A_PAGE)
    .all<{ device: string }>();
  return results.map(({ device }) => device);
}

const SELECT_DEVICES = `
  WITH RECURSIVE known (device) AS (
    SELECT min(device) FROM rollup WHERE tenant = ?1 AND device > ?2
    UNION ALL
    SELECT (SELECT min(device) FROM rollup WHERE tenant = ?1 AND device > known.device)
    FROM known WHERE known.device IS NOT NULL LIMIT ?3
  ) SELECT device FROM known WHERE device IS NOT NULL`;

/** Merges the zones of an hour into the fleet's. */
async function computeFleetHour(database: D1Database, { tenant, hourMs }: Hour): Promise<void> {
  const token = newToken();
  await database
    .prepare("UPDATE dirty_hour SET taken_by = ?1 WHERE tenant = ?2 AND hour_ms = ?3 AND zone = ?4")
    .bind(token, tenant, hourMs, FLEET)
    .run();
  const { results: zones } = await database
    .prepare(SELECT_ZONE_HOURS)
    .bind(tenant, hourMs)
    .all<{ devices: number; readings: number; metrics: string }>();
  const hours = zones.map((zone) => ({ ...zone, metrics: unpackZoneMetrics(zone.metrics) }));
  const fleet = { finish: () => mergeZoneHours(hours) };
  await commit(database, token, { tenant, hourMs }, [[FLEET, fleet]], []);
}

const SELECT_ZONE_HOURS = `
  WITH RECURSIVE known (zone) AS (
    SELECT min(zone) FROM zone_hour WHERE tenant = ?1 AND zone > ''
    UNION ALL
    SELECT (SELECT min(zone) FROM zone_hour WHERE tenant = ?1 AND zone > known.zone)
    FROM known WHERE known.zone IS NOT NULL
  ) SELECT zone_hour.devices, zone_hour.readings, zone_hour.metrics FROM known
  CROSS JOIN zone_hour ON zone_hour.tenant = ?1 AND zone_hour.zone = known.zone AND zone_hour.hour_ms = ?2`;

/**
 * Writes the hours whose marks are still ours and lifts those marks, in one transaction; `marksNext` are the zones that
 * depend on them, and the day's hourly file depends on the zones too.
 */
async function commit(
  database: D1Database,
  token: number,
  { tenant, hourMs }: Hour,
  hours: readonly (readonly [zone: string, built: { finish(): ZoneHour | undefined }])[],
  marksNext: readonly string[],
): Promise<void> {
  const statements = hours.map(([zone, built]) => {
    const hour = built.finish();
    if (hour === undefined) return database.prepare(DELETE_HOUR).bind(tenant, zone, hourMs, token);
    const { devices, readings, metrics } = hour;
    return database
      .prepare(WRITE_HOUR)
      .bind(tenant, zone, hourMs, token, devices, readings, packZoneMetrics(metrics));
  });
  for (const next of marksNext) {
    statements.push(
      database.prepare(MARK_NEXT).bind(tenant, next, hourMs, token),
      database.prepare(MARK_DAY).bind(tenant, dateOf(hourMs), hourMs, token),
    );
  }
  statements.push(database.prepare(LIFT).bind(tenant, hourMs, token));
  await database.batch(statements);
}

const IS_OURS =
  "EXISTS (SELECT 1 FROM dirty_hour WHERE tenant = ?1 AND zone = ?2 AND hour_ms = ?3 AND taken_by = ?4)";
const ANY_IS_OURS = "EXISTS (SELECT 1 FROM dirty_hour WHERE tenant = ?1 AND hour_ms = ?3 AND taken_by = ?4)";
const WRITE_HOUR = `
  INSERT INTO zone_hour (tenant, zone, hour_ms, devices, readings, metrics)
  SELECT ?1, ?2, ?3, ?5, ?6, ?7 WHERE ${IS_OURS}
  ON CONFLICT (tenant, zone, hour_ms) DO UPDATE
  SET devices = excluded.devices, readings = excluded.readings, metrics = excluded.metrics`;
const DELETE_HOUR = `DELETE FROM zone_hour WHERE tenant = ?1 AND zone = ?2 AND hour_ms = ?3 AND ${IS_OURS}`;
const MARK_NEXT = `
  INSERT INTO dirty_hour (tenant, zone, hour_ms, taken_by) SELECT ?1, ?2, ?3, 0 WHERE ${ANY_IS_OURS}
  ON CONFLICT (tenant, zone, hour_ms) DO UPDATE SET taken_by = 0 WHERE taken_by <> 0`;
const MARK_DAY = `
  INSERT INTO archive_day (tenant, date, dirty, taken_by, revision) SELECT ?1, ?2, 1, 0, 0 WHERE ${ANY_IS_OURS}
  ON CONFLICT (tenant, date) DO UPDATE SET dirty = 1, taken_by = 0 WHERE dirty = 0 OR taken_by <> 0`;
const LIFT = "DELETE FROM dirty_hour WHERE tenant = ?1 AND hour_ms = ?2 AND taken_by = ?3";

/** Names one taking of marks; never 0. */
const newToken = () => 1 + Math.floor(Math.random() * (Number.MAX_SAFE_INTEGER - 1));
