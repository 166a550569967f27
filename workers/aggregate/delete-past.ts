// The days of a deleted device whose rollups D1 has given up, while zones and fleet still have their hours.
import { dateOf } from "../../core/archive/key.ts";
import { keptFromMs } from "../../core/job/check-import.ts";
import type { DeleteSpec } from "../../schemas/job.ts";
import { wallMs } from "../clock.ts";
import { openParquet, readRowGroups } from "../parquet.ts";
import { readSettings } from "../tenant.ts";
import { warmIndexOf, warmsOf } from "../warm.ts";
import { type DayCursor, isAhead, type Pace, replayDay } from "./replay-day.ts";
import type { RunningJob, Step } from "./run-jobs.ts";
import { devicesOfGroup } from "./write-archive.ts";

const DAY_MS = 86_400_000;

/** The UTC days before `beforeMs` of which the hourly files have hours of the device, ascending. */
export async function daysInHours(
  bucket: R2Bucket,
  database: D1Database,
  tenant: string,
  device: string,
  beforeMs: number,
): Promise<string[]> {
  const { results: files } = await database
    .prepare(SELECT_HOURLY)
    .bind(tenant, device, beforeMs)
    .all<{ key: string; bytes: number }>();
  const days = new Set<string>();
  for (const { key, bytes } of files) {
    const file = await openParquet(bucket, key, bytes);
    for (const [group, statistics] of file.metadata.row_groups.entries()) {
      const [first, last] = devicesOfGroup(statistics);
      if (device < first || device > last) continue;
      const [rows] = await readRowGroups(file, ["device", "start"], { group });
      for (const [row, name] of rows!.device.entries()) {
        const start = rows!.start![row] as number;
        if (name === device && start < beforeMs) days.add(dateOf(start));
      }
    }
  }
  return [...days].sort();
}

const SELECT_HOURLY = `
  SELECT key, bytes FROM archive_file
  WHERE tenant = ?1 AND kind = 'hourly' AND replaced_at IS NULL
    AND min_device <= ?2 AND max_device >= ?2 AND from_ms < ?3`;

/** Whether any zone still has an hour of the day. */
async function hasZoneHours(database: D1Database, tenant: string, date: string): Promise<boolean> {
  const fromMs = Date.parse(date);
  const found = await database
    .prepare(SELECT_ZONE_HOUR)
    .bind(tenant, fromMs, fromMs + DAY_MS)
    .first();
  return found !== null;
}

const SELECT_ZONE_HOUR = `
  WITH RECURSIVE known (zone) AS (
    SELECT min(zone) FROM zone_hour WHERE tenant = ?1
    UNION ALL
    SELECT (SELECT min(zone) FROM zone_hour WHERE tenant = ?1 AND zone > known.zone)
    FROM known WHERE known.zone IS NOT NULL
  ) SELECT 1 FROM known CROSS JOIN zone_hour ON zone_hour.tenant = ?1 AND zone_hour.zone = known.zone
    AND zone_hour.hour_ms >= ?2 AND zone_hour.hour_ms < ?3 LIMIT 1`;

/** PERSISTED in the cursor of a deletion. `next` counts the days that are done. */
export interface PastCursor extends Pace {
  next: number;
  day: DayCursor | null;
}

/**
 * One step of having those days' hours computed anew: their rollups come back from the archive, now without the device. A
 * day whose files the archive no longer keeps is left as it is and counted: nothing says what its hours were without it.
 */
export async function computePast(
  job: RunningJob<DeleteSpec>,
  database: D1Database,
  days: readonly string[],
  at: PastCursor,
): Promise<Step & { next: PastCursor | null }> {
  const { env, tenant, spec, progress } = job;
  const date = days[at.next];
  if (date === undefined) {
    const marked = await database.prepare(SELECT_MARK).bind(tenant, JSON.stringify(days)).first();
    return marked === null ? { next: null, outcome: "more" } : { next: at, outcome: "wait" };
  }
  const then = { ...at, next: at.next + 1, day: null, waits: 0 };
  const done = at.next + 1;
  if (at.day === null) {
    if (await isAhead(env, tenant, progress.counts.restored ?? 0, at))
      return { next: { ...at, waits: (at.waits ?? 0) + 1 }, outcome: "wait" };
    if (!(await hasZoneHours(database, tenant, date))) return { next: then, done, outcome: "more" };
    const keptMs = keptFromMs(await readSettings(env.TENANT, tenant), wallMs());
    if (Date.parse(date) < keptMs) return { next: then, done, counts: { daysLeft: 1 }, outcome: "more" };
  }
  const number = warmIndexOf(tenant, spec.device, warmsOf(env).length);
  const { next, restored } = await replayDay(env, { number, tenant, date }, at.day);
  const counts = { restored };
  if (next !== null) return { next: { ...at, day: next }, counts, outcome: "more" };
  return { next: then, done, counts, outcome: "more" };
}

const SELECT_MARK = `
  SELECT 1 FROM dirty_hour WHERE tenant = ?1
    AND date(hour_ms / 1000, 'unixepoch') IN (SELECT value FROM json_each(?2)) LIMIT 1`;
