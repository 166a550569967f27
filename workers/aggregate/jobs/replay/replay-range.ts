// A replay → day after day of each warm database rebuilt, and then a job that says so.
import { dateOf } from "../../../../core/archive/key.ts";
import { wholeFilesFromMs } from "../../../../core/retention.ts";
import { DAY_MS, HOUR_MS } from "../../../../core/time.ts";
import type { ReplaySpec } from "../../../../schemas/job.ts";
import { wallMs } from "../../../clock.ts";
import { readSettings } from "../../../tenant.ts";
import { warmsOf } from "../../../warm.ts";
import type { RunningJob, Step } from "../step.ts";
import { type DevicesCursor, replayDevices } from "./replay-blocks.ts";
import { type DayCursor, mustAwaitRetention, type Pace, replayDay, rollupsDeleted } from "./replay-day.ts";

/** PERSISTED as the job's cursor. */
type Cursor =
  | ({ at: "days"; number: number; date: string; day: DayCursor | "done" | null } & Pace)
  | { at: "devices"; devices: DevicesCursor }
  | { at: "hours"; number: number };

type Replay = RunningJob<ReplaySpec>;

/**
 * Does one step of a replay, which is of the whole UTC days that the range touches.
 * @throws when D1, R2 or an object fails, or retention is waited for in vain: the step is tried again.
 */
export async function replayRange(job: Replay): Promise<Step> {
  const cursor = job.cursor as Cursor | null;
  if (cursor === null) return await begin(job);
  switch (cursor.at) {
    case "days":
      return await replayNext(job, cursor);
    case "devices": {
      const { next, ...step } = await replayDevices(job, cursor.devices);
      return {
        ...step,
        cursor: next === null ? { at: "hours", number: 0 } : { at: "devices", devices: next },
      };
    }
    case "hours":
      return await awaitHours(job, cursor.number);
  }
}

/** The days of the range whose files the archive still keeps all of: of an older day, some may have been deleted. */
async function daysOf({ env, tenant, spec }: Replay): Promise<{ first: string; last: string }> {
  const keptMs = wholeFilesFromMs(await readSettings(env.TENANT, tenant), wallMs());
  return { first: dateOf(Math.max(spec.fromMs, keptMs)), last: dateOf(spec.toMs - 1) };
}

async function begin(job: Replay): Promise<Step> {
  const { env, tenant, spec } = job;
  if (spec.source === "blocks") {
    const total = await env.CONTROL.prepare("SELECT count(*) AS count FROM device WHERE tenant = ?1")
      .bind(tenant)
      .first<number>("count");
    const cursor: Cursor = { at: "devices", devices: { after: "", sent: null } };
    return { phase: "devices", total, cursor, outcome: "more" };
  }
  const { first, last } = await daysOf(job);
  let total = 0;
  for (const database of warmsOf(env)) {
    total += (await database.prepare(COUNT_DAYS).bind(tenant, first, last).first<number>("count"))!;
  }
  const deletedBefore = await rollupsDeleted(env, tenant);
  const cursor: Cursor = { at: "days", number: 0, date: "", day: "done", deletedBefore };
  return { phase: "days", total, cursor, outcome: "more" };
}

const RAW_DAYS =
  "FROM archive_file WHERE tenant = ?1 AND date >= ?2 AND date <= ?3 AND kind = 'raw' AND replaced_at IS NULL";
const COUNT_DAYS = `SELECT count(DISTINCT date) AS count ${RAW_DAYS}`;

async function replayNext(job: Replay, cursor: Extract<Cursor, { at: "days" }>): Promise<Step> {
  const { env, tenant, progress } = job;
  const { number } = cursor;
  const database = warmsOf(env)[number];
  if (database === undefined) return { phase: "hours", cursor: { at: "hours", number: 0 }, outcome: "more" };
  if (cursor.day === "done") {
    if (await mustAwaitRetention(env, tenant, progress.counts.restored ?? 0, cursor))
      return { cursor: { ...cursor, waits: (cursor.waits ?? 0) + 1 }, outcome: "wait" };
    const { first, last } = await daysOf(job);
    const date = await database
      .prepare(`SELECT min(date) AS date ${RAW_DAYS} AND date > ?4`)
      .bind(tenant, first, last, cursor.date)
      .first<string | null>("date");
    if (date === null) return { cursor: { ...cursor, number: number + 1, date: "" }, outcome: "more" };
    return { cursor: { ...cursor, date, day: null, waits: 0 }, outcome: "more" };
  }
  const { next, ...counts } = await replayDay(env, { number, tenant, date: cursor.date }, cursor.day);
  return {
    done: progress.done + (next === null ? 1 : 0),
    counts,
    cursor: { ...cursor, day: next ?? "done" },
    outcome: "more",
  };
}

/** Blocks that trickle in keep the newest hours dirty for so long, replay or not. */
const TRICKLE_MS = 3 * HOUR_MS;

/** Done is when the hours are computed, of each database in turn. */
async function awaitHours({ env, tenant, spec }: Replay, number: number): Promise<Step> {
  const database = warmsOf(env)[number];
  if (database === undefined) return { phase: "done", outcome: "done" };
  const fromMs = Date.parse(dateOf(spec.fromMs));
  const toMs = Math.min(Date.parse(dateOf(spec.toMs - 1)) + DAY_MS, wallMs() - TRICKLE_MS);
  const marked = await database
    .prepare("SELECT 1 FROM dirty_hour WHERE tenant = ?1 AND hour_ms >= ?2 AND hour_ms < ?3 LIMIT 1")
    .bind(tenant, fromMs, toMs)
    .first();
  if (marked !== null) return { phase: "hours", outcome: "wait" };
  return { phase: "hours", cursor: { at: "hours", number: number + 1 }, outcome: "more" };
}
