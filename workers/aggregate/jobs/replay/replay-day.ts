// A UTC day of a warm database → all its rollups in D1 again, and its hours to be computed from them.
import type { SliceStart } from "../../../../core/job/slices.ts";
import { rollupsFromMs } from "../../../../core/retention.ts";
import { DAY_MS, HOUR_MS } from "../../../../core/time.ts";
import { wallMs } from "../../../clock.ts";
import { readSettings } from "../../../tenant.ts";
import { warmsOf } from "../../../warm.ts";
import { KNOWN_ZONES, markDays, markHours, markListedHours } from "../../archive/dirty-marks.ts";
import type { AggregateEnv } from "../../env.ts";
import { type Day, replaySlices } from "./replay-archive.ts";

/** PERSISTED in the cursors of jobs: how far a day is. */
export interface DayCursor {
  place: SliceStart;
  /** Whose hours are still to be marked. */
  zones: string[];
  /** Rollups that retention had deleted when the day was begun. */
  deleted: number;
}

/**
 * Does one step of bringing a day's rollups back into D1; `cursor` null begins the day. Returns the cursor of the
 * next step, null when the day is whole. An hour is computed from what D1 has of it, so the hours of a day that D1
 * had dropped are marked only when all of it is back; a day of which retention deletes something meanwhile begins
 * anew.
 * @throws when a block of the day is stored meanwhile: the caller makes the step again.
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
  const isTakenAgain =
    isExpired && Date.parse(date) < rollupsFromMs(await readSettings(env.TENANT, tenant), wallMs());
  const counts = { rollups, readings, restored: isTakenAgain ? rollups : 0 };
  if (replayed.place !== null) return { next: { ...cursor, place: replayed.place, zones }, ...counts };
  const isWhole = await markHoursOfDay(database, day, zones, isExpired ? cursor.deleted : null);
  return { next: isWhole ? null : begun, ...counts };
}

interface Restored {
  rollups: number;
  readings: number;
  /** Of these rollups, those past their retention, which will be deleted again. */
  restored: number;
}

/** Returns how many of a tenant's rollups retention has deleted so far, in all warm databases. */
export async function rollupsDeleted(env: AggregateEnv, tenant: string): Promise<number> {
  const all = await Promise.all(warmsOf(env).map((database) => retainedOf(database, tenant)));
  return all.reduce((sum, retained) => sum + retained.rollupsDeleted, 0);
}

/**
 * Rollups past their retention that a job may have in D1 at once: it holds 10 GB (D1 limits, 2026-11), a rollup is
 * some 1 KB.
 */
const RESTORED_MAX = 500_000;

/** Ticks come once a minute, and retention once an hour: after a day of waiting it will not come by itself. */
const WAITS_MAX = 1_440;

/** PERSISTED in the cursors of jobs. */
export interface Pace {
  /** What `rollupsDeleted` returned when the job began. */
  deletedBefore: number;
  /** For how many ticks the job has waited; absent: none. */
  waits?: number;
}

/**
 * Whether a job must wait for retention before it brings back more: true while more than RESTORED_MAX of the
 * `restored` rollups, which retention deletes again, are still in D1.
 * @throws Error when the job has waited WAITS_MAX ticks, and retention has still not deleted enough of them.
 */
export async function mustAwaitRetention(
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

/**
 * Returns before which hour, epoch ms, a warm database has dropped a tenant's rollups, and how many; 0 and 0 when
 * none.
 */
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
 * Marks every hour of the day in these zones, and those of other zones that are computed already, as dirty. Returns
 * false, and marks nothing, when retention deleted rollups meanwhile. `deleted`: what `rollupsDeleted` was when the
 * day was begun; null: D1 had dropped nothing of the day.
 */
export async function markHoursOfDay(
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
const MARK_DAY = markDays("SELECT ?1, ?2, 1, 0, 0 WHERE true");
const MARK_ZONES = markListedHours("?4", IS_WHOLE);
const MARK_KNOWN = markHours(`${KNOWN_ZONES} SELECT ?1, known.zone, zone_hour.hour_ms, 0 FROM known
  CROSS JOIN zone_hour ON zone_hour.tenant = ?1 AND zone_hour.zone = known.zone
    AND zone_hour.hour_ms >= ?3 AND zone_hour.hour_ms < ?4
  WHERE ${IS_WHOLE}`);
