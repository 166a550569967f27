// DELETE of a device → its data gone from D1, its object, the registry, every file and the alerts, and then a job that
// says so.
//
// Its object has begun the next life before DELETE is answered; storage takes nothing of that until what it has of the
// old one is counted and listed, so what the next life stores is in none of those lists.
import { dateOf } from "../../../../core/archive/key.ts";
import { addHours, type HourSpans, hoursIn } from "../../../../core/job/hour-spans.ts";
import type { DeleteSpec } from "../../../../schemas/job.ts";
import { FLEET } from "../../../../schemas/tables.ts";
import { wallMs } from "../../../clock.ts";
import { endLife, lastLifeOf } from "../../../end-life.ts";
import { deletePage, exportsFolder } from "../../../exports.ts";
import { warmOf } from "../../../warm.ts";
import { markDays, markListedHours } from "../../archive/dirty-marks.ts";
import { retainedOf, rollupsDeleted } from "../replay/replay-day.ts";
import type { RunningJob, Step } from "../step.ts";
import { eraseAlerts, zonesToTell } from "./delete-alerts.ts";
import { eraseFile, type ListedFile } from "./delete-files.ts";
import { eraseOrphans, type OrphanPlace } from "./delete-orphans.ts";
import { computePast, daysInHours, type PastCursor } from "./delete-past.ts";
import { eraseStaged } from "./delete-staged.ts";

/** PERSISTED as the job's cursor. */
type Cursor =
  | { at: "life" | "object" | "exports" | "finish" | "end" }
  /** Of a job made before a deploy. */
  | { at: "tombstone" | "registry" }
  | { at: "rollups" | "list"; hours: HourSpans }
  | { at: "files" | "hours"; next: number }
  | { at: "past"; past: PastCursor }
  | { at: "staged"; page: string | null }
  | { at: "orphans"; place: OrphanPlace }
  /** The zones that are still to drop what they say of it; null: nobody has looked which. */
  | { at: "alerts"; zones: string[] | null };

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

/**
 * Does one step of a deletion; one that was broken off may be done again. From the first on, storage refuses the life
 * `spec.generation` and all before it.
 * @throws when D1, R2 or an object fails: the step is tried again.
 */
export async function deleteDevice(job: Deletion): Promise<Step> {
  const cursor = (job.cursor ?? { at: "life" }) as Cursor;
  switch (cursor.at) {
    case "life":
    case "tombstone":
      await endLife(job.env, job.tenant, job.spec);
      return go({ at: "rollups", hours: {} });
    case "rollups":
      return await deleteRollups(job, cursor.hours);
    case "list":
      return await listFiles(job, cursor.hours);
    case "registry":
    case "object":
      // Done long ago, but by a job that was made before a deploy.
      await endLife(job.env, job.tenant, job.spec);
      return go({ at: "files", next: 0 });
    case "files":
      return await eraseNext(job, cursor.next);
    case "staged":
      return await eraseNextStaged(job, cursor.page);
    case "exports": {
      // Whole: the device is in some of their files, and who made them can make them anew.
      const exports = await deletePage(job.env.COLD, exportsFolder(job.tenant));
      return exports > 0
        ? go(cursor, { counts: { exports } })
        : go({ at: "orphans", place: { kind: "raw" } });
    }
    case "orphans":
      return await eraseNextOrphans(job, cursor.place);
    case "alerts":
      return await eraseNextAlerts(job, cursor.zones);
    case "hours":
      return await awaitHours(job, cursor.next);
    case "finish":
      return await finish(job);
    case "past":
      return await past(job, cursor.past);
    case "end":
      await deleteLists(job);
      return { phase: "done", outcome: "done" };
  }
}

/**
 * Of the tombstone, when the rollups are gone: a deletion of rollups that comes later, from a runner that was taken for
 * dead, finds another generation and leaves the next life alone.
 */
const fenced = ({ spec }: Deletion) => lastLifeOf(spec);

const warmOfJob = ({ env, tenant, spec }: Deletion) => warmOf(env, tenant, spec.device);

const go = (cursor: Cursor, step: Partial<Step> = {}): Step => ({
  phase: cursor.at,
  cursor,
  outcome: "more",
  ...step,
});

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
  const rollups = deleted!.meta.changes;
  // The rows are the next life's: this step was made before, and its progress is lost. It must not be made for ever.
  return go({ at: rollups === 0 ? "list" : "rollups", hours }, { counts: { rollups } });
}

const MARK_HOURS = markListedHours("?2");
const MARK_DAYS = markDays("SELECT ?1, day.value, 1, 0, 0 FROM json_each(?2) AS day WHERE true");
const DELETE_ROLLUPS = `
  DELETE FROM rollup WHERE tenant = ?1 AND device = ?2 AND start_ms <= ?4
    AND EXISTS (SELECT 1 FROM tombstone WHERE tenant = ?1 AND device = ?2 AND generation = ?3)`;

/** From here on the files of this list may hold the device's old life, and no other file can: the next one is stored. */
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
  // The first list stands: a runner that was taken for dead may have listed a next life's files by now.
  await env.COLD.put(listKey(job), JSON.stringify(listed), { onlyIf: { etagDoesNotMatch: "*" } });
  const { length: total } = (await readList(job)).files;
  await database
    .prepare("UPDATE tombstone SET listing = 0 WHERE tenant = ?1 AND device = ?2 AND generation = ?3")
    .bind(tenant, spec.device, fenced(job))
    .run();
  return go({ at: "object" }, { total });
}

const SELECT_FILES = `
  SELECT date, key FROM archive_file
  WHERE tenant = ?1 AND min_device <= ?2 AND max_device >= ?2 AND (date, key) > (?3, ?4)
  ORDER BY date, key LIMIT ?5`;

/** Of a job that began anew each generation has its own list. */
const listsOf = ({ tenant, id }: Deletion) => `job/tenant=${tenant}/${id}.`;
const listKey = (job: Deletion) => `${listsOf(job)}${job.spec.generation}.json`;

async function readList(job: Deletion): Promise<Listed> {
  const { COLD } = job.env;
  // Before a deploy a job had one.
  const object = (await COLD.get(listKey(job))) ?? (await COLD.get(`${listsOf(job)}json`));
  if (object === null)
    throw new Error(`${listKey(job)}, the list of what to delete, is gone from the bucket`);
  return await object.json<Listed>();
}

async function deleteLists(job: Deletion): Promise<void> {
  const { objects } = await job.env.COLD.list({ prefix: listsOf(job) });
  await job.env.COLD.delete(objects.map(({ key }) => key));
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
  return next === null ? go({ at: "exports" }, { counts }) : go({ at: "staged", page: next }, { counts });
}

async function eraseNextOrphans({ env, tenant, spec }: Deletion, place: OrphanPlace): Promise<Step> {
  const { next, orphans } = await eraseOrphans(env, tenant, spec.device, place);
  const counts = { orphans };
  if (next === "wait") return go({ at: "orphans", place }, { counts, outcome: "wait" });
  return next === null
    ? go({ at: "alerts", zones: null }, { counts })
    : go({ at: "orphans", place: next }, { counts });
}

/** Zones first, one a step: what they still have to say of an alert is in D1 then. */
async function eraseNextAlerts(job: Deletion, zones: string[] | null): Promise<Step> {
  const { env, tenant, spec } = job;
  const { device } = spec;
  if (zones === null) {
    const named = await zonesToTell(env.CONTROL, tenant, device);
    return go({ at: "alerts", zones: [...new Set([...named, ...(spec.zones ?? [])])] });
  }
  const [zone, ...others] = zones;
  if (zone !== undefined) {
    const { pending } = await env.ZONE.getByName(`${tenant}/${zone}`).forget(device, lastLifeOf(spec));
    return pending ? go({ at: "alerts", zones }, { outcome: "wait" }) : go({ at: "alerts", zones: others });
  }
  const alerts = await eraseAlerts(env.CONTROL, tenant, device, lastLifeOf(spec));
  return alerts === 0 ? go({ at: "hours", next: 0 }) : go({ at: "alerts", zones }, { counts: { alerts } });
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
