// Exports of a tenant: the rows of their jobs in D1, and where their files lie in R2.
import { and, desc, eq, gt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { JobAnswer } from "../schemas/job.ts";
import { EXPORT_KEPT_MS, EXPORTS_KEPT_MAX } from "../schemas/limits.ts";
import { job as jobTable } from "../schemas/tables.ts";
import { answerOf, HAS_ROOM, rowOf, tooManyJobs } from "./jobs.ts";
import { Problem } from "./problem.ts";

/** Returns the folder of all exports, or of those of a tenant. */
export const exportsFolder = (tenant?: string) =>
  tenant === undefined ? "export/" : `export/tenant=${tenant}/`;

/** Returns the key of a file of an export; without a file the folder of it. */
export const exportKey = (tenant: string, id: string, file = "") => `${exportsFolder(tenant)}${id}/${file}`;

/** The file that is written last: an export that has none is not done, or gone. */
export const MANIFEST = "manifest.json";

/**
 * Deletes a page of files, at most 1,000, that begin with `prefix`. Returns how many; 0: none is left.
 * @throws when R2 fails.
 */
export async function deletePage(bucket: R2Bucket, prefix: string): Promise<number> {
  const { objects } = await bucket.list({ prefix });
  if (objects.length > 0) await bucket.delete(objects.map(({ key }) => key));
  return objects.length;
}

/**
 * Makes the job that exports a tenant, and returns it.
 * @throws Problem `conflict`: one is running, or a deletion; `quota_jobs`: the tenant made as many as are kept, or has too many jobs; when D1
 * fails.
 */
export async function createExport(control: D1Database, tenant: string, nowMs: number): Promise<JobAnswer> {
  const row = rowOf(tenant, "export", {}, nowMs, "running");
  const { meta } = await control
    .prepare(INSERT_EXPORT)
    .bind(tenant, row.id, row.spec, row.progress, nowMs, nowMs - EXPORT_KEPT_MS)
    .run();
  if (meta.changes > 0) return answerOf(row);
  const deleted = await deletedBeside(control, tenant, nowMs);
  if (deleted !== undefined)
    throw new Problem(
      "conflict",
      `the deletion of ${deleted} is not done; wait for it (GET /v1/admin/jobs lists it)`,
    );
  const kept = await readExports(control, tenant, nowMs);
  const running = kept.find(({ status }) => status === "running");
  if (running !== undefined)
    throw new Problem("conflict", `export ${running.id} is running; wait for it, or stop it`);
  if (kept.length < EXPORTS_KEPT_MAX) throw tooManyJobs();
  throw new Problem(
    "quota_jobs",
    `a tenant makes at most ${EXPORTS_KEPT_MAX} exports in seven days, which is how long they are kept; take one of them (GET /v1/tenant/exports)`,
    { retryAfterMs: kept.at(-1)!.createdAt + EXPORT_KEPT_MS - nowMs },
  );
}

/** Returns the exports of a tenant that are kept, the newest first, at most as many as that is. @throws when D1 fails. */
export async function readExports(control: D1Database, tenant: string, nowMs: number): Promise<JobAnswer[]> {
  const rows = await drizzle(control)
    .select()
    .from(jobTable)
    .where(
      and(
        eq(jobTable.tenant, tenant),
        eq(jobTable.kind, "export"),
        gt(jobTable.createdAt, nowMs - EXPORT_KEPT_MS),
      ),
    )
    .orderBy(desc(jobTable.id))
    .limit(EXPORTS_KEPT_MAX);
  return rows.map(answerOf);
}

const INSERT_EXPORT = `
  INSERT INTO job (tenant, id, kind, status, spec, progress, created_at, updated_at)
  SELECT ?1, ?2, 'export', 'running', ?3, ?4, ?5, ?5 WHERE ${HAS_ROOM}
    AND NOT EXISTS (SELECT 1 FROM job WHERE tenant = ?1 AND kind = 'export' AND status = 'running')
    AND NOT EXISTS (SELECT 1 FROM job WHERE tenant = ?1 AND kind = 'delete' AND status <> 'done')
    AND (SELECT count(*) FROM job WHERE tenant = ?1 AND kind = 'export' AND created_at > ?6) < ${EXPORTS_KEPT_MAX}`;

/**
 * Returns a device whose deletion is not done, or was asked for at `sinceMs` or after; undefined: none. Reads the tenant's jobs.
 * @throws when D1 fails.
 */
export async function deletedBeside(
  control: D1Database,
  tenant: string,
  sinceMs: number,
): Promise<string | undefined> {
  const found = await control.prepare(SELECT_BESIDE).bind(tenant, sinceMs).first<string>("device");
  return found ?? undefined;
}

const SELECT_BESIDE = `
  SELECT spec ->> 'device' AS device FROM job
  WHERE tenant = ?1 AND kind = 'delete' AND (status <> 'done' OR created_at >= ?2) LIMIT 1`;
