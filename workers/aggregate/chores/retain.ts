// What a tenant no longer keeps → gone from D1 and from the archive, in whole days, and counted.
import { dateOf } from "../../../core/archive/key.ts";
import { filesFromMs, rollupsFromMs, zoneHoursFromMs } from "../../../core/retention.ts";
import { DAY_MS } from "../../../core/time.ts";
import type { TenantSettings } from "../../../schemas/tenant.ts";
import { wallMs } from "../../clock.ts";
import { giveWay } from "../../give-way.ts";
import { readSettings } from "../../tenant.ts";
import { warmsOf } from "../../warm.ts";
import { withDeadline } from "../../with-deadline.ts";
import { KNOWN_ZONES } from "../archive/dirty-marks.ts";
import type { Turn } from "./chores.ts";
import { firstTenant, goRound } from "./go-round.ts";
import { devicesAfter } from "./rollup-devices.ts";

const D1_ANSWERS_MS = 60_000;

interface Tenant {
  database: D1Database;
  tenant: string;
  settings: TenantSettings;
  untilMs: number;
}

const SHARE_MS = 20_000;

/**
 * Deletes rollups, hours and files past their retention, of one tenant after another. Returns the cursor; "" when all
 * are seen to. What is done in part goes on with the tenant's next share, at the warm database of that number.
 */
export const retain = (turn: Turn): Promise<string> =>
  goRound<number>(turn, {
    name: "retain",
    shareMs: SHARE_MS,
    next: (after) => firstTenant(warmsOf(turn.env), NEXT_TENANT, after),
    advance: async (tenant, place = 0, untilMs) => {
      const settings = await readSettings(turn.env.TENANT, tenant);
      const databases = warmsOf(turn.env);
      for (let number = place; number < databases.length; number++) {
        if (!(await retainTenant({ database: databases[number]!, tenant, settings, untilMs }))) return number;
      }
      return undefined;
    },
  });

const NEXT_TENANT = `
  SELECT min(tenant) AS tenant FROM (
    SELECT min(tenant) AS tenant FROM archive_file WHERE tenant > ?1
    UNION ALL SELECT min(tenant) FROM archive_day WHERE tenant > ?1
    UNION ALL SELECT min(tenant) FROM zone_hour WHERE tenant > ?1
  )`;

/** False when the turn ended before it was done. */
async function retainTenant(of: Tenant): Promise<boolean> {
  await retainZoneHours(of);
  return (await retainFiles(of)) && (await retainRollups(of));
}

async function retainZoneHours({ database, tenant, settings }: Tenant): Promise<void> {
  await batch(database, [[DELETE_ZONE_HOURS, [tenant, zoneHoursFromMs(settings, wallMs())]]]);
}

const DELETE_ZONE_HOURS = `
  DELETE FROM zone_hour WHERE tenant = ?1 AND hour_ms < ?2 AND zone IN (${KNOWN_ZONES} SELECT zone FROM known)`;

/** Takes whole partitions out of the manifest; the files go after the grace period. False when the turn ended. */
async function retainFiles({ database, tenant, settings, untilMs }: Tenant): Promise<boolean> {
  const fromMs = filesFromMs(settings, wallMs());
  if (fromMs === null) return true;
  const before = dateOf(fromMs);
  for (;;) {
    const date = await first<string>(database, OLDEST_FILE, [tenant, before], "date");
    if (date === null) return true;
    if (wallMs() >= untilMs) return false;
    await giveWay();
    await batch(database, [
      [COUNT_FILES, [tenant, before, date]],
      [REPLACE_FILES, [tenant, before, date, wallMs()]],
    ]);
  }
}

/** An hourly file's partition is a month. */
const IS_EXPIRED = `tenant = ?1 AND replaced_at IS NULL
  AND (kind = 'raw' AND date < ?2 OR kind = 'hourly' AND date(date, '+1 month') <= ?2)`;
const OLDEST_FILE = `SELECT min(date) AS date FROM archive_file WHERE ${IS_EXPIRED} AND date < ?2`;
const COUNT_FILES = `
  INSERT INTO retained (tenant, hourly_from_ms, rollups_deleted, files_deleted, bytes_deleted)
  SELECT ?1, 0, 0, count(*), coalesce(sum(bytes), 0) FROM archive_file WHERE ${IS_EXPIRED} AND date = ?3
  ON CONFLICT (tenant) DO UPDATE SET
    files_deleted = files_deleted + excluded.files_deleted, bytes_deleted = bytes_deleted + excluded.bytes_deleted`;
const REPLACE_FILES = `UPDATE archive_file SET replaced_at = ?4 WHERE ${IS_EXPIRED} AND date = ?3`;

/**
 * Deletes rollups day by day, the oldest first, and not beyond a day that is not in an hourly file as it now is: from
 * `hourly_from_ms` on D1 has all, before that the files have. False when the turn ended.
 */
async function retainRollups({ database, tenant, settings, untilMs }: Tenant): Promise<boolean> {
  const before = dateOf(rollupsFromMs(settings, wallMs()));
  for (let last = ""; ; ) {
    const date = await first<string>(database, OLDEST_DAY, [tenant, before], "date");
    if (date === null || date === last) return true;
    const day = [tenant, date, Date.parse(date) + DAY_MS];
    if ((await first(database, `SELECT ${IS_EXPORTED} AS exported`, day, "exported")) === 0) return true;
    for (let after = ""; ; ) {
      if (wallMs() >= untilMs) return false;
      await giveWay();
      const devices = await withDeadline(D1_ANSWERS_MS, "D1", devicesAfter(database, tenant, after));
      if (devices.length === 0) break;
      after = devices.at(-1)!;
      const page = [...day, JSON.stringify(devices)];
      await batch(database, [
        [COUNT_ROLLUPS, page],
        [DELETE_ROLLUPS, page],
      ]);
    }
    await batch(database, [[RETIRE_DAY, day]]);
    last = date;
  }
}

/** The oldest day whose rollups are still in D1, exported or not. */
const OLDEST_DAY =
  "SELECT min(date) AS date FROM archive_day WHERE tenant = ?1 AND date < ?2 AND taken_by <> -1";
/** It and all before it are in hourly files as they now are. `?3` is its end. */
const IS_EXPORTED = `
  EXISTS (SELECT 1 FROM archive_day WHERE tenant = ?1 AND date = ?2 AND dirty = 0 AND revision > 0 AND taken_by = 0)
  AND NOT EXISTS (SELECT 1 FROM archive_day WHERE tenant = ?1 AND date < ?2 AND dirty = 1)
  AND NOT EXISTS (SELECT 1 FROM dirty_hour WHERE tenant = ?1 AND hour_ms < ?3)`;
const ROLLUPS_OF_DAY = `
  rollup WHERE tenant = ?1 AND device IN (SELECT value FROM json_each(?4))
  AND start_ms >= ?3 - ${DAY_MS} AND start_ms < ?3`;
const COUNT_ROLLUPS = `
  INSERT INTO retained (tenant, hourly_from_ms, rollups_deleted, files_deleted, bytes_deleted)
  SELECT ?1, ?3, (SELECT count(*) FROM ${ROLLUPS_OF_DAY}), 0, 0 WHERE ${IS_EXPORTED}
  ON CONFLICT (tenant) DO UPDATE SET
    hourly_from_ms = max(hourly_from_ms, excluded.hourly_from_ms),
    rollups_deleted = rollups_deleted + excluded.rollups_deleted`;
const DELETE_ROLLUPS = `DELETE FROM ${ROLLUPS_OF_DAY} AND ${IS_EXPORTED}`;
/** Whoever stores a block of the day afterwards marks it dirty, and it comes up again. */
const RETIRE_DAY = `
  UPDATE archive_day SET taken_by = -1 WHERE tenant = ?1 AND date = ?2 AND ${IS_EXPORTED}`;

type Bound = readonly (string | number)[];

const first = <Value>(database: D1Database, sql: string, bound: Bound, column: string) =>
  withDeadline(
    D1_ANSWERS_MS,
    "D1",
    database
      .prepare(sql)
      .bind(...bound)
      .first<Value>(column),
  );

const batch = (database: D1Database, statements: readonly (readonly [sql: string, bound: Bound])[]) =>
  withDeadline(
    D1_ANSWERS_MS,
    "D1",
    database.batch(statements.map(([sql, bound]) => database.prepare(sql).bind(...bound))),
  );
