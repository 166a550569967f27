// A UTC day of a warm database → all its rollups in D1 again, and its hours to be computed from them.
import type { Place } from "../../core/job/slices.ts";
import { alignDown } from "../../core/window/align.ts";
import { wallMs } from "../clock.ts";
import { readSettings } from "../tenant.ts";
import { warmsOf } from "../warm.ts";
import type { AggregateEnv } from "./env.ts";
import { type Day, replaySlices } from "./replay-archive.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** PERSISTED in the cursors of jobs: how far a day is. */
export interface DayCursor {
  place: Place;
  /** Whose hours are still to be marked. */
  zones: string[];
  /** Rollups that retention had deleted when the day was begun. */
  deleted: number;
}

/**
 * One step of a day; null begins it, and gives null when it is whole. An hour is computed from what D1 has of it, so the
 * hours of a day that D1 had given up are marked only when all of the day is back; a day of which retention has taken
 * something meanwhile, for the first time or again, is begun anew.
 * @throws when a block of the day is stored meanwhile: the step is made again.
 */
export async function replayDay(
  env: AggregateEnv,
  day: Day,
  cursor: DayCursor | null,
): Promise<{ next: DayCursor | null } & Restored> {
  const { tenant, date } = day;
  const database = warmsOf(env)[day.number]!;
  const retained = await retainedOf(database, tenant);
  const isExpired = Date.parse(date) < retained.hourlyFromMs;
  const begun = { place: { device: "", fromMs: 0 }, zones: [], deleted: retained.rollupsDeleted };
  if (cursor === null) {
    // From here on retention leaves the day alone until it is exported once more.
    await database.prepare(MARK_DAY).bind(tenant, date).run();
    return { next: begun, rollups: 0, readings: 0, restored: 0 };
  }
  const replayed = await replaySlices(env, day, cursor.place, { marks: !isExpired });
  const zones = isExpired ? [...new Set([...cursor.zones, ...replayed.zones])] : [];
  const { rollups, readings } = replayed;
  const isTakenAgain = isExpired && Date.parse(date) < (await wantedFromMs(env, tenant));
  const counts = { rollups, readings, restored: isTakenAgain ? rollups : 0 };
  if (replayed.place !== null) return { next: { ...cursor, place: replayed.place, zones }, ...counts };
  const isWhole = await markHours(database, day, zones, isExpired ? cursor.deleted : null);
  return { next: isWhole ? null : begun, ...counts };
}

interface Restored {
  rollups: number;
  readings: number;
  /** Of these rollups, those that D1 had given up: retention takes them again. */
  restored: number;
}

/** From here on D1 is to keep the tenant's rollups, as retain.ts reckons; the settings may have changed since it gave them up. */
async function wantedFromMs(env: AggregateEnv, tenant: string): Promise<number> {
  const { retention, latenessHorizonMs } = await readSettings(env.TENANT, tenant);
  const days = Math.max(retention.hourlyDays, Math.ceil(latenessHorizonMs / DAY_MS) + 1);
  return alignDown(wallMs() - days * DAY_MS, DAY_MS);
}

/** How many rollups retention has deleted of a tenant so far, in all warm databases. */
export async function rollupsDeleted(env: AggregateEnv, tenant: string): Promise<number> {
  const all = await Promise.all(warmsOf(env).map((database) => retainedOf(database, tenant)));
  return all.reduce((sum, retained) => sum + retained.rollupsDeleted, 0);
}

/** D1 holds 10 GB (D1 limits, 2026-11), and a rollup some 1 KB: so many given-up ones a job may have back at once. */
const RESTORED_MAX = 500_000;

/** Ticks come once a minute, and retention once an hour: after a day of waiting it will not come by itself. */
const WAITS_MAX = 1_440;

/** PERSISTED in the cursors of jobs. */
export interface Pace {
  /** rollupsDeleted when the job began. */
  deletedBefore: number;
  /** For how many ticks the job has waited; jobs of before have none. */
  waits?: number;
}

/**
 * Whether retention is to take some of what a job has `restored` before it goes on.
 * @throws when that was waited for in vain.
 */
export async function isAhead(
  env: AggregateEnv,
  tenant: string,
  restored: number,
  { deletedBefore, waits = 0 }: Pace,
): Promise<boolean> {
  if (restored <= RESTORED_MAX) return false;
  const left = restored - ((await rollupsDeleted(env, tenant)) - deletedBefore);
  if (left <= RESTORED_MAX) return false;
  if (waits < WAITS_MAX) return true;
  throw new Error(
    `${left} rollups that D1 had given up are back, at most ${RESTORED_MAX} may be, and in a day retention took too few ` +
      "of them: set retention.hourlyDays to what it was, or see in the log what retention fails at, and resume this job; " +
      "or stop it and start one for the days that are left",
  );
}

export async function retainedOf(
  database: D1Database,
  tenant: string,
): Promise<{ hourlyFromMs: number; rollupsDeleted: number }> {
  const row = await database
    .prepare(
      "SELECT hourly_from_ms AS hourlyFromMs, rollups_deleted AS rollupsDeleted FROM retained WHERE tenant = ?1",
    )
    .bind(tenant)
    .first<{ hourlyFromMs: number; rollupsDeleted: number }>();
  return row ?? { hourlyFromMs: 0, rollupsDeleted: 0 };
}

/**
 * Marks every hour of the day in these zones, and those that are computed already. False: retention came first.
 * `deleted` as the day was begun; null: D1 had not given it up.
 */
export async function markHours(
  database: D1Database,
  { tenant, date }: Day,
  zones: readonly string[],
  deleted: number | null,
): Promise<boolean> {
  const fromMs = Date.parse(date);
  const marks = zones.flatMap((zone) => Array.from({ length: 24 }, (_, i) => [zone, fromMs + i * HOUR_MS]));
  const [, , checked] = await database.batch<{ is_whole: number }>([
    database.prepare(MARK_ZONES).bind(tenant, deleted, fromMs, JSON.stringify(marks)),
    database.prepare(MARK_KNOWN).bind(tenant, deleted, fromMs, fromMs + DAY_MS),
    database.prepare(`SELECT ${IS_WHOLE} AS is_whole`).bind(tenant, deleted, fromMs),
  ]);
  return checked!.results[0]!.is_whole === 1;
}

const IS_WHOLE = `(CASE WHEN ?2 IS NULL
  THEN ?3 >= coalesce((SELECT hourly_from_ms FROM retained WHERE tenant = ?1), 0)
  ELSE ?2 = coalesce((SELECT rollups_deleted FROM retained WHERE tenant = ?1), 0) END)`;
const MARK_DAY = `
  INSERT INTO archive_day (tenant, date, dirty, taken_by, revision) VALUES (?1, ?2, 1, 0, 0)
  ON CONFLICT (tenant, date) DO UPDATE SET dirty = 1, taken_by = 0`;
const UPSERT = "ON CONFLICT (tenant, zone, hour_ms) DO UPDATE SET taken_by = 0 WHERE taken_by <> 0";
const MARK_ZONES = `
  INSERT INTO dirty_hour (tenant, zone, hour_ms, taken_by)
  SELECT ?1, mark.value ->> 0, mark.value ->> 1, 0 FROM json_each(?4) AS mark WHERE ${IS_WHOLE} ${UPSERT}`;
const MARK_KNOWN = `
  INSERT INTO dirty_hour (tenant, zone, hour_ms, taken_by)
  WITH RECURSIVE known (zone) AS (
    SELECT min(zone) FROM zone_hour WHERE tenant = ?1
    UNION ALL
    SELECT (SELECT min(zone) FROM zone_hour WHERE tenant = ?1 AND zone > known.zone)
    FROM known WHERE known.zone IS NOT NULL
  ) SELECT ?1, known.zone, zone_hour.hour_ms, 0 FROM known
  CROSS JOIN zone_hour ON zone_hour.tenant = ?1 AND zone_hour.zone = known.zone
    AND zone_hour.hour_ms >= ?3 AND zone_hour.hour_ms < ?4
  WHERE ${IS_WHOLE} ${UPSERT}`;
