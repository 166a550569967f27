// The days of a deleted device whose rollups D1 has given up, while zones and fleet still have their hours.
import { dateOf } from "../../../../core/archive/key.ts";
import { wholeFilesFromMs } from "../../../../core/retention.ts";
import { DAY_MS } from "../../../../core/time.ts";
import type { DeleteSpec } from "../../../../schemas/job.ts";
import { wallMs } from "../../../clock.ts";
import { openParquet, readRowGroups } from "../../../parquet.ts";
import { readSettings } from "../../../tenant.ts";
import { warmIndexOf, warmsOf } from "../../../warm.ts";
import { KNOWN_ZONES } from "../../archive/dirty-marks.ts";
import { devicesOfGroup } from "../../archive/write-archive.ts";
import { type DayCursor, mustAwaitRetention, type Pace, replayDay } from "../replay/replay-day.ts";
import type { RunningJob, Step } from "../step.ts";

/**
 * Returns the UTC days before `beforeMs` of which hourly files have hours of the device, ascending.
 * @throws when D1 or R2 fail.
 */
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
  ${KNOWN_ZONES} SELECT 1 FROM known CROSS JOIN zone_hour ON zone_hour.tenant = ?1 AND zone_hour.zone = known.zone
    AND zone_hour.hour_ms >= ?2 AND zone_hour.hour_ms < ?3 LIMIT 1`;

/** PERSISTED in the cursor of a deletion. `next` counts the days that are done. */
export interface PastCursor extends Pace {
  next: number;
  day: DayCursor | null;
}

/**
 * Does one step of having the hours of these days computed anew: their rollups come back from the archive, without
 * the device. Returns `next` null when all days are done and computed. A day whose files the archive no longer keeps
 * is left as it is and counted: nothing says what its hours were without the device.
 * @throws when D1 or R2 fail, or a block of the day is stored meanwhile: the step is made again.
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
    if (await mustAwaitRetention(env, tenant, progress.counts.restored ?? 0, at))
      return { next: { ...at, waits: (at.waits ?? 0) + 1 }, outcome: "wait" };
    if (!(await hasZoneHours(database, tenant, date))) return { next: then, done, outcome: "more" };
    const keptMs = wholeFilesFromMs(await readSettings(env.TENANT, tenant), wallMs());
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
