// An import → its devices hand over the time it is of, its readings are stored day by day, and then a job that says so.

import type { SliceStart } from "../../../../core/job/slices.ts";
import { DAY_MS } from "../../../../core/time.ts";
import { alignDown, BUCKET_MS_MAX } from "../../../../core/window/align.ts";
import type { ImportSpec } from "../../../../schemas/job.ts";
import { wallMs } from "../../../clock.ts";
import { readSettings } from "../../../tenant.ts";
import { warmIndexOf, warmsOf } from "../../../warm.ts";
import type { AggregateEnv } from "../../env.ts";
import type { Day } from "../replay/replay-archive.ts";
import {
  type DayCursor,
  markHoursOfDay,
  mustAwaitRetention,
  type Pace,
  replayDay,
  retainedOf,
  rollupsDeleted,
} from "../replay/replay-day.ts";
import { zonesOfDevices } from "../replay/replay-zones.ts";
import type { RunningJob, Step } from "../step.ts";
import { importSlices } from "./import-day.ts";
import { type DayCounts, forgetReached, NOTHING_COUNTED } from "./import-reached.ts";
import { deleteParts, entriesOf, readSurvey, type StagedEntry, surveyParts } from "./import-survey.ts";

const DEVICES_AT_ONCE = 50;

/** PERSISTED as the job's cursor. */
type Cursor =
  | { at: "survey"; isNew: boolean }
  | { at: "hand over"; next: number }
  | DaysCursor
  | { at: "hours"; number: number }
  /** Set when the import is discarded before it was started; see jobs.ts. */
  | { at: "discard"; reason: string };

interface DaysCursor extends Pace {
  at: "days";
  /** The day's place among the days of the survey, and the number of the warm database. */
  next: number;
  number: number;
  /**
   * `restore`: D1 has dropped the day's rollups, and gets them back before anything of the import is stored.
   * `counts`: of the day before `place`, added to the job's when the day is done; absent: none.
   */
  stage: { restore: DayCursor | null } | { place: SliceStart; deleted: number | null; counts?: DayCounts };
}

type Import = RunningJob<ImportSpec>;

const AT_FIRST: SliceStart = { device: "", fromMs: 0 };

/**
 * Does one step of an import; one that was broken off may be done again.
 * @throws when D1, R2 or an object fails, or a block is stored meanwhile: the step is tried again.
 */
export async function importReadings(job: Import): Promise<Step> {
  const cursor = (job.cursor ?? { at: "survey", isNew: true }) as Cursor;
  switch (cursor.at) {
    case "survey":
      return await survey(job, cursor.isNew);
    case "hand over":
      return await handOver(job, cursor.next);
    case "days":
      return await importNext(job, cursor);
    case "hours":
      return await awaitHours(job, cursor.number);
    case "discard":
      await deleteParts(job.env.COLD, job.tenant, job.id);
      return { phase: "discard", outcome: "stopped", error: cursor.reason };
  }
}

const go = (cursor: Cursor, step: Partial<Step> = {}): Step => ({
  phase: cursor.at,
  cursor,
  outcome: "more",
  ...step,
});

async function survey({ env, tenant, id }: Import, isNew: boolean): Promise<Step> {
  const found = await surveyParts(env.COLD, tenant, id, isNew);
  if (found.surveyed < found.parts.length) return go({ at: "survey", isNew: false });
  const total = Object.values(found.days).reduce((sum, { readings }) => sum + readings, 0);
  return go({ at: "hand over", next: 0 }, { done: 0, total });
}

/**
 * Registers a page of devices, but none that was deleted since the import was made, and has their objects hand over what
 * the import is of, up to the end of its last bucket: afterwards no object makes a block there any more. The last hours
 * before the horizon have to wait until it has passed.
 */
async function handOver({ env, tenant, id, spec, createdAt }: Import, next: number): Promise<Step> {
  const { devices, endMs } = await readSurvey(env.COLD, tenant, id);
  const beforeMs = alignDown(endMs + BUCKET_MS_MAX - 1, BUCKET_MS_MAX);
  const { latenessHorizonMs } = await readSettings(env.TENANT, tenant);
  const cursor: Cursor = { at: "hand over", next };
  if (beforeMs > wallMs() - latenessHorizonMs) return go(cursor, { phase: "horizon", outcome: "wait" });
  const page = devices.slice(next, next + DEVICES_AT_ONCE);
  if (page.length === 0) {
    const deletedBefore = await rollupsDeleted(env, tenant);
    return go({ at: "days", next: 0, number: 0, stage: { place: AT_FIRST, deleted: null }, deletedBefore });
  }
  await env.CONTROL.prepare(REGISTER)
    .bind(tenant, JSON.stringify(page), spec.zone, wallMs(), createdAt)
    .run();
  const answers = await Promise.all(
    page.map((device) => env.DEVICE.getByName(`${tenant}/${device}`).handOver(beforeMs)),
  );
  if (answers.some(({ pending }) => pending > 0)) return go(cursor, { outcome: "wait" });
  return go({ at: "hand over", next: next + page.length }, { counts: { devices: page.length } });
}

const REGISTER = `
  INSERT INTO device (tenant, device, zone, created_at) SELECT ?1, name.value, ?3, ?4 FROM json_each(?2) AS name
  WHERE NOT EXISTS (SELECT 1 FROM job WHERE tenant = ?1 AND kind = 'delete' AND created_at >= ?5
    AND spec ->> 'device' = name.value)
  ON CONFLICT (tenant, device) DO NOTHING`;

async function importNext(job: Import, cursor: DaysCursor): Promise<Step> {
  const { env, tenant, id, createdAt, progress } = job;
  const found = await readSurvey(env.COLD, tenant, id);
  const date = Object.keys(found.days)[cursor.next];
  if (date === undefined) return go({ at: "hours", number: 0 });
  const { number, stage } = cursor;
  const database = warmsOf(env)[number];
  if (database === undefined) {
    const then: Cursor = {
      ...cursor,
      next: cursor.next + 1,
      number: 0,
      stage: { place: AT_FIRST, deleted: null },
    };
    return go(then, { done: progress.done + found.days[date]!.readings });
  }
  const day = { number, tenant, date };
  if ("restore" in stage) {
    if (
      stage.restore === null &&
      (await mustAwaitRetention(env, tenant, progress.counts.restored ?? 0, cursor))
    )
      return { cursor: { ...cursor, waits: (cursor.waits ?? 0) + 1 }, outcome: "wait" };
    const { next, restored } = await replayDay(env, day, stage.restore);
    const counts = { restored };
    if (next !== null) return go({ ...cursor, waits: 0, stage: { restore: next } }, { counts });
    const deleted = stage.restore?.deleted ?? 0;
    return go({ ...cursor, stage: { place: AT_FIRST, deleted } }, { counts });
  }
  const entries = (await entriesOf(env.COLD, found, date)).filter(
    ({ device }) => warmIndexOf(tenant, device, warmsOf(env).length) === number,
  );
  const after: Cursor = { ...cursor, number: number + 1, stage: { place: AT_FIRST, deleted: null } };
  if (entries.length === 0) return go(after);
  const { place, deleted, counts: before = NOTHING_COUNTED } = stage;
  const imported = { day, job: id, madeAt: createdAt, deleted };
  const { next, counts } = await importSlices(env, imported, entries, { place, counts: before });
  if (next === "wait") return { outcome: "wait" };
  if (next === "gone") return go({ ...cursor, stage: { restore: null } });
  if (next !== null) return go({ ...cursor, stage: { place: next, deleted, counts } });
  // What retention took of the day while it was changed has to come back, and is whole then.
  const isWhole = await (deleted === null
    ? isKept(database, tenant, date)
    : markWholeDay(env, day, entries, deleted));
  if (!isWhole) return go({ ...cursor, stage: { restore: null } });
  return go(after, { counts: { ...counts } });
}

const isKept = async (database: D1Database, tenant: string, date: string) =>
  Date.parse(date) >= (await retainedOf(database, tenant)).hourlyFromMs;

/** Storing marks no hour of a day whose rollups D1 had dropped: the import does, once the day is whole. */
async function markWholeDay(
  env: AggregateEnv,
  day: Day,
  entries: readonly StagedEntry[],
  deleted: number,
): Promise<boolean> {
  const devices = [...new Set(entries.map(({ device }) => device))];
  const zones = new Set((await zonesOfDevices(env.CONTROL, day.tenant, devices)).values());
  return await markHoursOfDay(warmsOf(env)[day.number]!, day, [...zones], deleted);
}

/** Done is when the hours of its days are computed, of each database in turn. */
async function awaitHours({ env, tenant, id }: Import, number: number): Promise<Step> {
  const database = warmsOf(env)[number];
  if (database === undefined) {
    await deleteParts(env.COLD, tenant, id);
    return { phase: "done", outcome: "done" };
  }
  const { days } = await readSurvey(env.COLD, tenant, id);
  const [first, last] = [Object.keys(days)[0], Object.keys(days).at(-1)];
  const toMs = last === undefined ? 0 : Date.parse(last) + DAY_MS;
  const marked = await database
    .prepare("SELECT 1 FROM dirty_hour WHERE tenant = ?1 AND hour_ms >= ?2 AND hour_ms < ?3 LIMIT 1")
    .bind(tenant, Date.parse(first ?? "1970-01-01"), toMs)
    .first();
  if (marked !== null) return go({ at: "hours", number }, { outcome: "wait" });
  await forgetReached(database, tenant, id);
  return go({ at: "hours", number: number + 1 });
}
