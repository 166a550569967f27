// How far an import is with a day, noted in the transaction that stores its readings: so each is counted once, however
// often the step that stores it is made.
import type { ImportCounts } from "../../../../core/job/merge-import.ts";
import type { SliceStart } from "../../../../core/job/slices.ts";

/** PERSISTED in the job's cursor: new fields need a default. */
export interface DayCounts extends ImportCounts {
  /** Readings of devices that were deleted after the import was made. */
  deleted: number;
}

/** The counts of a day that is not begun. */
export const NOTHING_COUNTED: DayCounts = { stored: 0, duplicate: 0, corrected: 0, deleted: 0 };

/** How far an import is with a day in one warm database: everything before `place` is stored, and in `counts`. */
export interface Reached {
  place: SliceStart;
  counts: DayCounts;
}

/** Whether `a` comes after `b`, by device and then by instant. */
export const isAfter = (a: SliceStart, b: SliceStart) =>
  a.device > b.device || (a.device === b.device && a.fromMs > b.fromMs);

/**
 * The statement that notes how far the import is, for the transaction that stores a slice; it writes its row only if
 * the file is in the manifest. One row an import and database.
 */
export function noteReached(
  database: D1Database,
  job: string,
  { tenant, date, key }: { tenant: string; date: string; key: string },
  { place, counts }: Reached,
): D1PreparedStatement {
  return database
    .prepare(NOTE)
    .bind(
      tenant,
      date,
      key,
      job,
      place.device,
      place.fromMs,
      counts.stored,
      counts.duplicate,
      counts.corrected,
      counts.deleted,
    );
}

const NOTE = `
  INSERT INTO import_reached
    (tenant, job, date, next_device, next_from_ms, stored, duplicate, corrected, deleted)
  SELECT ?1, ?4, ?2, ?5, ?6, ?7, ?8, ?9, ?10
  WHERE EXISTS (SELECT 1 FROM archive_file WHERE tenant = ?1 AND date = ?2 AND key = ?3)
  ON CONFLICT (tenant, job) DO UPDATE
  SET date = excluded.date, next_device = excluded.next_device, next_from_ms = excluded.next_from_ms,
    stored = excluded.stored, duplicate = excluded.duplicate, corrected = excluded.corrected, deleted = excluded.deleted`;

/** The statement that reads how far the import is with a day; no row: not begun, or done with. */
export const selectReached = (database: D1Database, tenant: string, job: string, date: string) =>
  database.prepare(SELECT).bind(tenant, job, date);

const SELECT = `
  SELECT next_device AS device, next_from_ms AS fromMs, stored, duplicate, corrected, deleted
  FROM import_reached WHERE tenant = ?1 AND job = ?2 AND date = ?3`;

/** What a row of `selectReached` says; undefined: there is none. */
export function reachedOf(row: Record<string, number & string> | undefined): Reached | undefined {
  if (row === undefined) return undefined;
  const { device, fromMs, stored, duplicate, corrected, deleted } = row as unknown as SliceStart & DayCounts;
  return { place: { device, fromMs }, counts: { stored, duplicate, corrected, deleted } };
}

/** Deletes the note of how far the import is. @throws when D1 fails. */
export async function forgetReached(database: D1Database, tenant: string, job: string): Promise<void> {
  await database.prepare("DELETE FROM import_reached WHERE tenant = ?1 AND job = ?2").bind(tenant, job).run();
}
