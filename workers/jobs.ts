// Rows of the job table: made, shown, stopped and resumed by the api, taken further by the cron.
import { and, desc, eq, lt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { JobAnswer, JobKind, JobProgress, JobStatus } from "../schemas/job.ts";
import { job as jobTable } from "../schemas/tables.ts";
import { sortedId } from "./sorted-id.ts";

export type JobRow = typeof jobTable.$inferSelect;
type SpecOf<Kind extends JobKind> = Extract<JobAnswer, { kind: Kind }>["spec"];

/** PERSISTED in `job.progress`: what everybody sees, and beside it where the work goes on and how often it failed. */
export interface SavedProgress extends JobProgress {
  /** Of the kind's own shape; null: at the beginning. */
  cursor: unknown;
  /** Failures of the same step, one after another, and when it is tried again, by the wall clock. */
  failures: number;
  retryAt: number;
}

const AT_THE_BEGINNING: SavedProgress = {
  phase: "",
  done: 0,
  total: null,
  counts: {},
  cursor: null,
  failures: 0,
  retryAt: 0,
};

export async function createJob<Kind extends JobKind>(
  control: D1Database,
  tenant: string,
  kind: Kind,
  spec: SpecOf<Kind>,
  nowMs: number,
  status: JobStatus = "running",
): Promise<JobAnswer> {
  const row = rowOf(tenant, kind, spec, nowMs, status);
  await drizzle(control).insert(jobTable).values(row);
  return answerOf(row);
}

/** The deletion of a device: the one that is not done yet, taken up again if it had stopped, or a new one. */
export async function createDeletion(
  control: D1Database,
  tenant: string,
  spec: SpecOf<"delete">,
  nowMs: number,
): Promise<JobAnswer> {
  const row = rowOf(tenant, "delete", spec, nowMs, "running");
  await control
    .prepare(INSERT_DELETION)
    .bind(tenant, row.id, row.spec, row.progress, nowMs, spec.device)
    .run();
  const known = await unfinishedDeletion(control, tenant, spec.device);
  if (known === undefined) return answerOf(row); // done within this instant
  return (await resumeJob(control, tenant, known.id)) ?? known;
}

const OF_DEVICE = "tenant = ?1 AND kind = 'delete' AND status <> 'done' AND spec ->> 'device' = ";
const INSERT_DELETION = `
  INSERT INTO job (tenant, id, kind, status, spec, progress, created_at, updated_at)
  SELECT ?1, ?2, 'delete', 'running', ?3, ?4, ?5, ?5 WHERE NOT EXISTS (SELECT 1 FROM job WHERE ${OF_DEVICE} ?6)`;

/** The deletion of a device that is not done yet. */
export async function unfinishedDeletion(
  control: D1Database,
  tenant: string,
  device: string,
): Promise<JobAnswer | undefined> {
  const found = await control
    .prepare(`SELECT id FROM job WHERE ${OF_DEVICE} ?2`)
    .bind(tenant, device)
    .first<string>("id");
  return found === null ? undefined : readJob(control, tenant, found);
}

export async function readJob(
  control: D1Database,
  tenant: string,
  id: string,
): Promise<JobAnswer | undefined> {
  const rows = await drizzle(control)
    .select()
    .from(jobTable)
    .where(and(eq(jobTable.tenant, tenant), eq(jobTable.id, id)));
  return rows[0] === undefined ? undefined : answerOf(rows[0]);
}

/** A page of jobs, newest first; `next` is the cursor of the page after it, null at the end. */
export async function readJobs(
  control: D1Database,
  tenant: string,
  { status, after, limit }: { status?: JobStatus | undefined; after?: string | undefined; limit: number },
): Promise<{ jobs: JobAnswer[]; next: string | null }> {
  const rows = await drizzle(control)
    .select()
    .from(jobTable)
    .where(
      and(
        eq(jobTable.tenant, tenant),
        status === undefined ? undefined : eq(jobTable.status, status),
        after === undefined ? undefined : lt(jobTable.id, after),
      ),
    )
    .orderBy(desc(jobTable.id))
    .limit(limit + 1);
  const jobs = rows.slice(0, limit).map(answerOf);
  return { jobs, next: rows.length > limit ? jobs.at(-1)!.id : null };
}

/** Stops a running job after the step it is at, and gives up an import that was not started; any other stays as it is. Undefined: there is none. */
export async function stopJob(
  control: D1Database,
  tenant: string,
  id: string,
): Promise<JobAnswer | undefined> {
  await changeStatus(control, tenant, id, discard("given up before it was started"), "status = 'receiving'");
  return await changeStatus(
    control,
    tenant,
    id,
    "SET status = 'stopped'",
    `status = 'running' AND NOT ${IS_DISCARDED}`,
  );
}

/** Imports whose parts nobody sent the rest of for a week are given up. */
export async function discardForgotten(control: D1Database, nowMs: number): Promise<void> {
  await control
    .prepare(
      `UPDATE job ${discard("not started within a week")} WHERE status = 'receiving' AND created_at < ?1`,
    )
    .bind(nowMs - RECEIVING_MS)
    .run();
}

const RECEIVING_MS = 7 * 86_400_000;
/** Its last step deletes what it has in R2. */
const discard = (reason: string) =>
  `SET status = 'running', progress = json_set(progress, '$.cursor', json_object('at', 'discard', 'reason', '${reason}'))`;
const IS_DISCARDED = "coalesce(progress ->> '$.cursor.at' = 'discard', 0)";

/** Takes up a job that was stopped or failed; any other stays as it is. Undefined: there is none. */
export const resumeJob = (control: D1Database, tenant: string, id: string) =>
  changeStatus(
    control,
    tenant,
    id,
    `SET status = 'running', error = NULL, finished_at = NULL,
         progress = json_set(progress, '$.failures', 0, '$.retryAt', 0)`,
    "status IN ('stopped', 'failed')",
  );

/** Starts an import that has all its parts; any other job stays as it is. Undefined: there is none. */
export const startJob = (control: D1Database, tenant: string, id: string) =>
  changeStatus(control, tenant, id, "SET status = 'running'", "status = 'receiving'");

async function changeStatus(control: D1Database, tenant: string, id: string, set: string, from: string) {
  await control.prepare(`UPDATE job ${set} WHERE tenant = ?1 AND id = ?2 AND ${from}`).bind(tenant, id).run();
  return await readJob(control, tenant, id);
}

function rowOf(tenant: string, kind: JobKind, spec: object, nowMs: number, status: JobStatus): JobRow {
  return {
    tenant,
    id: sortedId(nowMs),
    kind,
    status,
    spec: JSON.stringify(spec),
    progress: JSON.stringify(AT_THE_BEGINNING),
    error: null,
    createdAt: nowMs,
    updatedAt: nowMs,
    finishedAt: null,
  };
}

function answerOf({ tenant: _tenant, kind, status, spec, progress, ...row }: JobRow): JobAnswer {
  const { phase, done, total, counts } = JSON.parse(progress) as SavedProgress;
  return {
    ...row,
    kind,
    status,
    spec: JSON.parse(spec) as object,
    progress: { phase, done, total, counts },
  } as JobAnswer;
}

/** True in the job table as long as no other runner has gone on: for a change there that must not come late. */
export const IS_AT = "EXISTS (SELECT 1 FROM job WHERE tenant = ? AND id = ? AND updated_at = ?)";
