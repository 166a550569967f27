// DELETE of a device → its data gone from D1, its object, the registry and every file, and then a job that says so.
//
// Until its object forgets, nothing of a new life can be stored; so what storage has of the old one is counted and listed
// first, and what a new life stores afterwards is in none of those lists.
import { dateOf } from "../../core/archive/key.ts";
import { addHours, type HourSpans, hoursIn } from "../../core/job/hour-spans.ts";
import type { DeleteSpec } from "../../schemas/job.ts";
import { FLEET } from "../../schemas/tables.ts";
import { wallMs } from "../clock.ts";
import { IS_AT } from "../jobs.ts";
import { warmOf } from "../warm.ts";
import { eraseFile, type ListedFile } from "./delete-files.ts";
import { eraseOrphans, type OrphanPlace } from "./delete-orphans.ts";
import { computePast, daysInHours, type PastCursor } from "./delete-past.ts";
import { eraseStaged } from "./delete-staged.ts";
import { retainedOf, rollupsDeleted } from "./replay-day.ts";
import type { RunningJob, Step } from "./run-jobs.ts";

/** PERSISTED as the job's cursor. */
type Cursor =
  | { at: "tombstone" | "registry" | "object" | "finish" | "end" }
  | { at: "rollups" | "list"; hours: HourSpans }
  | { at: "files" | "hours"; next: number }
  | { at: "past"; past: PastCursor }
  | { at: "staged"; page: string | null }
  | { at: "orphans"; place: OrphanPlace };

type Deletion = RunningJob<DeleteSpec>;

/** PERSISTED in R2 while the job runs, for a row of D1 holds 2 MB: what storage had of the device when it was deleted. */
interface Listed {
  files: ListedFile[];
  hours: [zone: string, startMs: number, endMs: number][];
  /** UTC days whose rollups D1 has given up. */
  past: string[];
}

const ROWS_AT_ONCE = 1_000;
const SPANS_AT_ONCE = 200;

/** One step of a deletion. `spec.generation` and all lives before it are refused by storage from the first step on. */
export async function deleteDevice(job: Deletion): Promise<Step> {
  const cursor = (job.cursor ?? { at: "tombstone" }) as Cursor;
  switch (cursor.at) {
    case "tombstone":
      return await setTombstone(job);
    case "rollups":
      return await deleteRollups(job, cursor.hours);
    case "list":
      return await listFiles(job, cursor.hours);
    case "registry":
      return await deleteEntry(job);
    case "object":
      return await forget(job);
    case "files":
      return await eraseNext(job, cursor.next);
    case "staged":
      return await eraseNextStaged(job, cursor.page);
    case "orphans":
      return await eraseNextOrphans(job, cursor.place);
    case "hours":
      return await awaitHours(job, cursor.next);
    case "finish":
      return await finish(job);
    case "past":
      return await past(job, cursor.past);
    case "end":
      await job.env.COLD.delete(listKey(job));
      return { phase: "done", outcome: "done" };
  }
}

/**
 * Rises by one when the rollups are gone: a deletion of rollups that comes later, from a runner that was taken for dead,
 * finds another generation and leaves the new life alone.
 */
const fenced = ({ spec }: Deletion) => spec.generation + 1;

const warmOfJob = ({ env, tenant, spec }: Deletion) => warmOf(env, tenant, spec.device);

const go = (cursor: Cursor, step: Partial<Step> = {}): Step => ({
  phase: cursor.at,
  cursor,
  outcome: "more",
  ...step,
});

async function setTombstone(job: Deletion): Promise<Step> {
  const { device, generation } = job.spec;
  await warmOfJob(job).prepare(SET_TOMBSTONE).bind(job.tenant, device, generation).run();
  return go({ at: "rollups", hours: {} });
}

const SET_TOMBSTONE = `
  INSERT INTO tombstone (tenant, device, generation) VALUES (?1, ?2, ?3) ON CONFLICT (tenant, device)
  DO UPDATE SET generation = excluded.generation, finished_at = NULL WHERE excluded.generation > generation`;

/** A page of rollups goes; their hours and days are computed anew, and who computes them just now is overruled. */
async function deleteRollups(job: Deletion, hours: HourSpans): Promise<Step> {
  const { tenant, spec } = job;
  const database = warmOfJob(job);
  const { results: rows } = await database
    .prepare(
      "SELECT start_ms, end_ms, zone FROM rollup WHERE tenant = ?1 AND device = ?2 ORDER BY start_ms LIMIT ?3",
    )
    .bind(tenant, spec.device, ROWS_AT_ONCE)
    .all<{ start_ms: number; end_ms: number; zone: string }>();
  if (rows.length === 0) return go({ at: "list", hours });
  const page: HourSpans = {};
  for (const { start_ms, end_ms, zone } of rows) {
    addHours(page, zone, start_ms, end_ms);
    addHours(hours, zone, start_ms, end_ms);
  }
  const marks = Object.entries(page).flatMap(([zone, spans]) =>
    [...hoursIn(spans)].map((hour) => [zone, hour]),
  );
  const days = [...new Set(rows.map(({ start_ms }) => dateOf(start_ms)))];
  const [, , deleted] = await database.batch([
    database.prepare(MARK_HOURS).bind(tenant, JSON.stringify(marks)),
    database.prepare(MARK_DAYS).bind(tenant, JSON.stringify(days)),
    database.prepare(DELETE_ROLLUPS).bind(tenant, spec.device, spec.generation, rows.at(-1)!.start_ms),
  ]);
  return go({ at: "rollups", hours }, { counts: { rollups: deleted!.meta.changes } });
}

const MARK_HOURS = `
  INSERT INTO dirty_hour (tenant, zone, hour_ms, taken_by)
  SELECT ?1, mark.value ->> 0, mark.value ->> 1, 0 FROM json_each(?2) AS mark WHERE true
  ON CONFLICT (tenant, zone, hour_ms) DO UPDATE SET taken_by = 0 WHERE taken_by <> 0`;
const MARK_DAYS = `
  INSERT INTO archive_day (tenant, date, dirty, taken_by, revision)
  SELECT ?1, day.value, 1, 0, 0 FROM json_each(?2) AS day WHERE true
  ON CONFLICT (tenant, date) DO UPDATE SET dirty = 1, taken_by = 0 WHERE dirty = 0 OR taken_by <> 0`;
const DELETE_ROLLUPS = `
  DELETE FROM rollup WHERE tenant = ?1 AND device = ?2 AND start_ms <= ?4
    AND EXISTS (SELECT 1 FROM tombstone WHERE tenant = ?1 AND device = ?2 AND generation = ?3)`;

/** From here on the files of this list may hold the device's old life, and no other file can. */
async function listFiles(job: Deletion, hours: HourSpans): Promise<Step> {
  const { env, tenant, spec } = job;
  const database = warmOfJob(job);
  await database
    .prepare("UPDATE tombstone SET generation = ?3 WHERE tenant = ?1 AND device = ?2 AND generation = ?4")
    .bind(tenant, spec.device, fenced(job), spec.generation)
    .run();
  const files: ListedFile[] = [];
  for (let after = { date: "", key: "" }; ; ) {
    const { results } = await database
      .prepare(SELECT_FILES)
      .bind(tenant, spec.device, after.date, after.key, ROWS_AT_ONCE)
      .all<ListedFile>();
    files.push(...results);
    if (results.length < ROWS_AT_ONCE) break;
    after = results.at(-1)!;
  }
  const { hourlyFromMs } = await retainedOf(database, tenant);
  const listed: Listed = {
    files,
    past: await daysInHours(env.COLD, database, tenant, spec.device, hourlyFromMs),
    hours: Object.entries(hours).flatMap(([zone, spans]) =>
      spans.map(([startMs, endMs]): Listed["hours"][number] => [zone, startMs, endMs]),
    ),
  };
  // The first list stands: a runner that was taken for dead may have listed a new life's files by now.
  await env.COLD.put(listKey(job), JSON.stringify(listed), { onlyIf: { etagDoesNotMatch: "*" } });
  return go({ at: "registry" }, { total: (await readList(job)).files.length });
}

const SELECT_FILES = `
  SELECT date, key FROM archive_file
  WHERE tenant = ?1 AND min_device <= ?2 AND max_device >= ?2 AND (date, key) > (?3, ?4)
  ORDER BY date, key LIMIT ?5`;

const listKey = ({ tenant, id }: Deletion) => `job/tenant=${tenant}/${id}.json`;

async function readList(job: Deletion): Promise<Listed> {
  const object = await job.env.COLD.get(listKey(job));
  if (object === null)
    throw new Error(`${listKey(job)}, the list of what to delete, is gone from the bucket`);
  return await object.json<Listed>();
}

/** Before the object forgets: it is the new life that registers again. */
async function deleteEntry({ env, tenant, id, spec, movedAt }: Deletion): Promise<Step> {
  await env.CONTROL.prepare(`DELETE FROM device WHERE tenant = ? AND device = ? AND ${IS_AT}`)
    .bind(tenant, spec.device, tenant, id, movedAt)
    .run();
  return go({ at: "object" });
}

async function forget(job: Deletion): Promise<Step> {
  await job.env.DEVICE.getByName(`${job.tenant}/${job.spec.device}`).forget(fenced(job));
  return go({ at: "files", next: 0 });
}

async function eraseNext(job: Deletion, next: number): Promise<Step> {
  const { env, tenant, createdAt, spec } = job;
  const { files } = await readList(job);
  const file = files[next];
  if (file === undefined) return go({ at: "staged", page: null }, { done: files.length });
  const erasing = {
    database: warmOfJob(job),
    bucket: env.COLD,
    tenant,
    device: spec.device,
    since: createdAt,
  };
  const counts = await eraseFile(erasing, file);
  return go({ at: "files", next: next + 1 }, { done: next + 1, counts });
}

async function eraseNextStaged(
  { env, tenant, createdAt, spec }: Deletion,
  page: string | null,
): Promise<Step> {
  const { next, staged } = await eraseStaged(env, tenant, spec.device, createdAt, page);
  const counts = { staged };
  return next === null
    ? go({ at: "orphans", place: { kind: "raw" } }, { counts })
    : go({ at: "staged", page: next }, { counts });
}

async function eraseNextOrphans({ env, tenant, spec }: Deletion, place: OrphanPlace): Promise<Step> {
  const { next, orphans } = await eraseOrphans(env, tenant, spec.device, place);
  const counts = { orphans };
  if (next === "wait") return go({ at: "orphans", place }, { counts, outcome: "wait" });
  return next === null
    ? go({ at: "hours", next: 0 }, { counts })
    : go({ at: "orphans", place: next }, { counts });
}

/** Each hour has to be seen once without a mark, its zone's and the fleet's: then it was computed without the device. */
async function awaitHours(job: Deletion, next: number): Promise<Step> {
  const database = warmOfJob(job);
  const { hours } = await readList(job);
  const page = hours.slice(next, next + SPANS_AT_ONCE);
  if (page.length === 0) return go({ at: "finish" });
  const marked = await database.prepare(SELECT_MARK).bind(job.tenant, JSON.stringify(page), FLEET).first();
  if (marked !== null) return go({ at: "hours", next }, { outcome: "wait" });
  return go({ at: "hours", next: next + page.length });
}

const SELECT_MARK = `
  SELECT 1 FROM json_each(?2) AS span CROSS JOIN dirty_hour
  ON dirty_hour.tenant = ?1 AND dirty_hour.zone IN (span.value ->> 0, ?3)
    AND dirty_hour.hour_ms >= span.value ->> 1 AND dirty_hour.hour_ms < span.value ->> 2 LIMIT 1`;

/** From here on the archive's upkeep goes on: no file has the device any more. */
async function finish(job: Deletion): Promise<Step> {
  const { env, tenant, spec } = job;
  await warmOfJob(job)
    .prepare("UPDATE tombstone SET finished_at = ?3 WHERE tenant = ?1 AND device = ?2 AND generation = ?4")
    .bind(tenant, spec.device, wallMs(), fenced(job))
    .run();
  const { past } = await readList(job);
  const deletedBefore = await rollupsDeleted(env, tenant);
  const cursor: PastCursor = { next: 0, day: null, deletedBefore };
  return go({ at: "past", past: cursor }, { done: 0, total: past.length });
}

async function past(job: Deletion, at: PastCursor): Promise<Step> {
  const { next, ...step } = await computePast(job, warmOfJob(job), (await readList(job)).past, at);
  return next === null ? go({ at: "end" }, step) : go({ at: "past", past: next }, step);
}
