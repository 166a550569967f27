// Rows of the job table: made, shown, stopped and resumed by the api, taken further by the cron.
import { and, desc, eq, lt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { JobAnswer, JobKind, JobProgress, JobStatus, TenantDeletion } from "../schemas/job.ts";
import { DEPLOYMENT, IMPORT_BYTES_MAX, JOBS_PER_TENANT_MAX } from "../schemas/limits.ts";
import { job as jobTable } from "../schemas/tables.ts";
import { Problem } from "./problem.ts";
import { sortedId } from "./sorted-id.ts";

/** A row of the job table. */
export type JobRow = typeof jobTable.$inferSelect;
type SpecOf<Kind extends JobKind> = Extract<JobAnswer, { kind: Kind }>["spec"];

/** PERSISTED in `job.progress`: what everybody sees, and beside it where the work goes on and how often it failed. */
export interface SavedProgress extends JobProgress {
  /** Of the kind's own shape; null: at the beginning. */
  cursor: unknown;
  /** Failures of the same step, one after another, and when it is tried again, by the wall clock. */
  failures: number;
  retryAt: number;
  /** Of an import: how many bytes of parts it has in R2; absent: none. */
  partBytes?: number;
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

/**
 * Makes a job and returns it. `status` "receiving": an import that waits for its parts.
 * @param control the database of jobs
 * @param tenant whose job it is
 * @param kind what is to be done
 * @param spec what of, in the kind's own shape
 * @param nowMs when it was asked for, by the wall clock
 * @param status what it begins as; absent: it runs at the next tick
 * @throws Problem `quota_jobs`: the tenant has as many as it may; when D1 fails.
 */
export async function createJob<Kind extends JobKind>(
  control: D1Database,
  tenant: string,
  kind: Kind,
  spec: SpecOf<Kind>,
  nowMs: number,
  status: JobStatus = "running",
): Promise<JobAnswer> {
  const row = rowOf(tenant, kind, spec, nowMs, status);
  const { meta } = await control
    .prepare(INSERT)
    .bind(tenant, row.id, kind, status, row.spec, row.progress, nowMs)
    .run();
  if (meta.changes === 0) throw tooManyJobs();
  return answerOf(row);
}

/** SQL for whether the tenant `?1` may have a job more. Deletions are as many as devices, and nobody is refused one. */
export const HAS_ROOM = `(SELECT count(*) FROM job WHERE tenant = ?1 AND kind <> 'delete' AND status IN ('receiving', 'running'))
  < ${JOBS_PER_TENANT_MAX}`;
const INSERT = `
  INSERT INTO job (tenant, id, kind, status, spec, progress, created_at, updated_at)
  SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7 WHERE ?3 = 'delete' OR ${HAS_ROOM}`;

/** The problem of a tenant that has as many jobs as it may. */
export const tooManyJobs = () =>
  new Problem(
    "quota_jobs",
    `a tenant has at most ${JOBS_PER_TENANT_MAX} imports, replays and exports that are not over; wait for one, or stop one (GET /v1/admin/jobs lists them)`,
    { retryAfterMs: 60_000 },
  );

/** The job that deletes a device. */
export type DeletionJob = Extract<JobAnswer, { kind: "delete" }>;

/**
 * Returns the deletion of a device: the one that is not done yet, resumed if it had stopped, or a new one. One that
 * is to end a later life than it was made for begins anew, and what it has counted stands.
 * @throws when D1 fails.
 */
export async function createDeletion(
  control: D1Database,
  tenant: string,
  spec: SpecOf<"delete">,
  nowMs: number,
): Promise<DeletionJob> {
  const row = rowOf(tenant, "delete", spec, nowMs, "running");
  const { device, generation } = spec;
  await control.batch([
    control.prepare(BEGIN_ANEW).bind(tenant, device, row.spec, generation, nowMs),
    control.prepare(INSERT_DELETION).bind(tenant, device, row.spec, row.progress, nowMs, row.id),
  ]);
  const known = await unfinishedDeletion(control, tenant, device);
  if (known === undefined) return answerOf(row) as DeletionJob; // done within this instant
  return ((await resumeJob(control, tenant, known.id)) as DeletionJob | undefined) ?? known;
}

const OF_DEVICE = "tenant = ?1 AND kind = 'delete' AND status <> 'done' AND spec ->> 'device' = ?2";
/** Its runner, if it has one, finds it moved on. A deletion ends two generations, see `lastLifeOf`. */
const BEGIN_ANEW = `
  UPDATE job SET spec = ?3, created_at = ?5, updated_at = max(?5, updated_at + 1),
    progress = json_set(progress, '$.phase', '', '$.done', 0, '$.total', NULL, '$.cursor', NULL, '$.failures', 0,
      '$.retryAt', 0)
  WHERE ${OF_DEVICE} AND spec ->> 'generation' + 1 < ?4`;
const INSERT_DELETION = `
  INSERT INTO job (tenant, id, kind, status, spec, progress, created_at, updated_at)
  SELECT ?1, ?6, 'delete', 'running', ?3, ?4, ?5, ?5 WHERE NOT EXISTS (SELECT 1 FROM job WHERE ${OF_DEVICE})`;

/** Returns the deletion of a device that is not done yet; undefined: there is none. @throws when D1 fails. */
export async function unfinishedDeletion(
  control: D1Database,
  tenant: string,
  device: string,
): Promise<DeletionJob | undefined> {
  const found = await control
    .prepare(`SELECT id FROM job WHERE ${OF_DEVICE}`)
    .bind(tenant, device)
    .first<string>("id");
  return found === null ? undefined : ((await readJob(control, tenant, found)) as DeletionJob | undefined);
}

/**
 * Returns one of these devices of which a deletion was asked for at `sinceMs` or after; undefined: none. Reads the
 * tenant's jobs.
 * @throws when D1 fails.
 */
export async function deletedSince(
  control: D1Database,
  tenant: string,
  devices: Iterable<string>,
  sinceMs: number,
): Promise<string | undefined> {
  const found = await control
    .prepare(SELECT_DELETED)
    .bind(tenant, JSON.stringify([...devices]), sinceMs)
    .first<string>("device");
  return found ?? undefined;
}

const SELECT_DELETED = `
  SELECT spec ->> 'device' AS device FROM job
  WHERE tenant = ?1 AND kind = 'delete' AND created_at >= ?3
    AND spec ->> 'device' IN (SELECT name.value FROM json_each(?2) AS name) LIMIT 1`;

/**
 * Returns the statement that notes the deletion of a tenant, a job of the deployment, if its row in `tenant` says that it
 * ends for the life `generation` and there is no such job yet.
 */
export function insertTenantDeletion(
  control: D1Database,
  spec: TenantDeletion["spec"],
  nowMs: number,
): D1PreparedStatement {
  const row = rowOf(DEPLOYMENT, "delete-tenant", spec, nowMs, "running");
  const { tenant, generation } = spec;
  return control
    .prepare(INSERT_TENANT_DELETION)
    .bind(DEPLOYMENT, tenant, generation, row.id, row.spec, row.progress, nowMs);
}

const OF_TENANT = "tenant = ?1 AND kind = 'delete-tenant' AND spec ->> 'tenant' = ?2";
const INSERT_TENANT_DELETION = `
  INSERT INTO job (tenant, id, kind, status, spec, progress, created_at, updated_at)
  SELECT ?1, ?4, 'delete-tenant', 'running', ?5, ?6, ?7, ?7
  WHERE EXISTS (SELECT 1 FROM tenant WHERE tenant = ?2 AND status = 'ending' AND generation = ?3)
    AND NOT EXISTS (SELECT 1 FROM job WHERE ${OF_TENANT} AND spec ->> 'generation' = ?3)`;

/** Returns the last deletion of a tenant; undefined: there was none. Reads the deployment's jobs. @throws when D1 fails. */
export async function readTenantDeletion(
  control: D1Database,
  tenant: string,
): Promise<TenantDeletion | undefined> {
  const id = await control
    .prepare(`SELECT id FROM job WHERE ${OF_TENANT} ORDER BY id DESC LIMIT 1`)
    .bind(DEPLOYMENT, tenant)
    .first<string>("id");
  return id === null
    ? undefined
    : ((await readJob(control, DEPLOYMENT, id)) as unknown as TenantDeletion | undefined);
}

/** Returns a job; undefined: there is none of this id. @throws when D1 fails. */
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

/**
 * Returns a page of a tenant's jobs, newest first; `next` is the `after` of the page after it, null at the end.
 * `status` absent: of any.
 * @throws when D1 fails.
 */
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

/**
 * Stops a running job after the step it is at, and discards an import that was not started; any other stays as it is.
 * Returns the job; undefined: there is none.
 * @throws when D1 fails.
 */
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

/** Discards the imports that were made more than a week ago and never started. @throws when D1 fails. */
export async function discardForgotten(control: D1Database, nowMs: number): Promise<void> {
  await control
    .prepare(
      `UPDATE job ${discard("not started within a week")} WHERE status = 'receiving' AND created_at < ?1`,
    )
    .bind(nowMs - RECEIVING_MS)
    .run();
}

const RECEIVING_MS = 7 * 86_400_000;
/** SQL that has an import run once more, for the step that deletes what it has in R2. */
const discard = (reason: string) =>
  `SET status = 'running', progress = json_set(progress, '$.cursor', json_object('at', 'discard', 'reason', '${reason}'))`;
const IS_DISCARDED = "coalesce(progress ->> '$.cursor.at' = 'discard', 0)";

/** SQL for the bytes of parts that a tenant's imports have in R2; those of one that is done or discarded are deleted. */
const PART_BYTES = `(SELECT coalesce(sum(progress ->> '$.partBytes'), 0) FROM job WHERE tenant = ?1 AND kind = 'import'
  AND status IN ('receiving', 'running', 'stopped', 'failed') AND NOT ${IS_DISCARDED})`;
const ADD_PART_BYTES = `
  UPDATE job SET progress = json_set(progress, '$.partBytes', max(0, coalesce(progress ->> '$.partBytes', 0) + CAST(?3 AS INTEGER)))
  WHERE tenant = ?1 AND id = ?2`;

/**
 * Counts bytes of a part that is about to be stored with its import, unless the tenant's imports would have more than
 * they may. Reads the rows of the tenant's imports that are not over.
 * @throws Problem `quota_imports`; when D1 fails.
 */
export async function takePartBytes(
  control: D1Database,
  tenant: string,
  id: string,
  bytes: number,
): Promise<void> {
  const [taken, waiting] = await control.batch<{ bytes: number }>([
    control
      .prepare(`${ADD_PART_BYTES} AND ${PART_BYTES} + ?3 <= ?4`)
      .bind(tenant, id, bytes, IMPORT_BYTES_MAX),
    control.prepare(`SELECT ${PART_BYTES} AS bytes`).bind(tenant),
  ]);
  if (taken!.meta.changes > 0) return;
  throw new Problem(
    "quota_imports",
    `a tenant's imports that are not over have at most ${IMPORT_BYTES_MAX} bytes of parts, now ${waiting!.results[0]!.bytes}, and this part has ${bytes}; start or stop one, wait until it is over, and send the rest in another import`,
    { retryAfterMs: 60_000 },
  );
}

/** Counts bytes no more that were counted: a part of an import was not stored, or another took its place. @throws when D1 fails. */
export async function givePartBytes(
  control: D1Database,
  tenant: string,
  id: string,
  bytes: number,
): Promise<void> {
  await control.prepare(ADD_PART_BYTES).bind(tenant, id, -bytes).run();
}

/**
 * Resumes a job that was stopped or failed, unless the tenant has as many as it may; any other stays as it is. Returns the
 * job; undefined: there is none.
 * @throws when D1 fails.
 */
export const resumeJob = (control: D1Database, tenant: string, id: string) =>
  changeStatus(
    control,
    tenant,
    id,
    `SET status = 'running', error = NULL, finished_at = NULL,
         progress = json_set(progress, '$.failures', 0, '$.retryAt', 0)`,
    `status IN ('stopped', 'failed') AND (kind IN ('delete', 'delete-tenant') OR ${HAS_ROOM})`,
  );

/**
 * Starts an import that has all its parts; any other job stays as it is. Returns the job; undefined: there is none.
 * @throws when D1 fails.
 */
export const startJob = (control: D1Database, tenant: string, id: string) =>
  changeStatus(control, tenant, id, "SET status = 'running'", "status = 'receiving'");

async function changeStatus(control: D1Database, tenant: string, id: string, set: string, from: string) {
  await control.prepare(`UPDATE job ${set} WHERE tenant = ?1 AND id = ?2 AND ${from}`).bind(tenant, id).run();
  return await readJob(control, tenant, id);
}

/** Returns the row of a new job. */
export function rowOf(tenant: string, kind: JobKind, spec: object, nowMs: number, status: JobStatus): JobRow {
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

/** Returns a job as it is shown. */
export function answerOf({ tenant: _tenant, kind, status, spec, progress, ...row }: JobRow): JobAnswer {
  const { phase, done, total, counts } = JSON.parse(progress) as SavedProgress;
  return {
    ...row,
    kind,
    status,
    spec: JSON.parse(spec) as object,
    progress: { phase, done, total, counts },
  } as JobAnswer;
}
