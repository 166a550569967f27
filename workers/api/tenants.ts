// Tenants of the deployment, for its owner: made, listed, and deleted.
import { and, asc, eq, gt, ne } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { TenantDeletion } from "../../schemas/job.ts";
import { DEPLOYMENT, ISSUED_AHEAD_MS_MAX } from "../../schemas/limits.ts";
import { tenant as tenantTable } from "../../schemas/tables.ts";
import type { SettingsChange } from "../../schemas/tenant.ts";
import type { TenantEntry, TenantList } from "../../schemas/tenants.ts";
import { wallMs } from "../clock.ts";
import { endTenantLife, type TenantRow, UNTOLD_PHASES } from "../end-tenant.ts";
import { insertTenantDeletion, readTenantDeletion, resumeJob } from "../jobs.ts";
import { Problem } from "../problem.ts";
import { changeSettings, readSettings } from "../tenant.ts";
import { withDeadline } from "../with-deadline.ts";
import type { ApiEnv } from "./env.ts";
import { tellRevoked } from "./revoke.ts";
import { fromStorage } from "./storage.ts";

const OBJECT_ANSWERS_MS = 5_000;

/** Returns a page of the tenants that are not deleted, by name; reads a row each. @throws Problem `unavailable`. */
export async function listTenants(
  control: D1Database,
  { after = "", limit }: { after?: string | undefined; limit: number },
): Promise<TenantList> {
  const rows = await fromStorage(
    "D1",
    drizzle(control)
      .select()
      .from(tenantTable)
      .where(and(gt(tenantTable.tenant, after), ne(tenantTable.status, "deleted")))
      .orderBy(asc(tenantTable.tenant))
      .limit(limit + 1),
  );
  const tenants = rows.slice(0, limit).map(entryOf);
  return { tenants, next: rows.length > limit ? tenants.at(-1)!.tenant : null };
}

/** Returns a tenant and the job of its last deletion; undefined: there never was one. @throws Problem `unavailable`. */
export async function readTenant(
  control: D1Database,
  tenant: string,
): Promise<(TenantEntry & { deletion: TenantDeletion | null }) | undefined> {
  const [row, deletion = null] = await Promise.all([
    readRow(control, tenant),
    fromStorage("D1", readTenantDeletion(control, tenant)),
  ]);
  return row === undefined ? undefined : { ...entryOf(row), deletion };
}

/**
 * Makes a tenant, with these settings. One that came into being by a token is there already.
 * @throws Problem `conflict`, which says what is there; `unavailable`: the same may be sent again, and is a conflict when it
 * was made, without its settings, after all.
 */
export async function makeTenant(
  env: ApiEnv,
  tenant: string,
  settings: SettingsChange,
): Promise<TenantEntry> {
  const known = await answering(readSettings(env.TENANT, tenant));
  const before = await readRow(env.CONTROL, tenant);
  const insert = env.CONTROL.prepare(INSERT).bind(tenant, known.generation, wallMs());
  const made = known.isEnding ? null : await fromStorage("D1", insert.first<string>("tenant"));
  const hasSettings = before === undefined && known.settingsVersion > 0;
  if (made === null || hasSettings) {
    const now = await readRow(env.CONTROL, tenant);
    throw new Problem("conflict", whatIsThere(tenant, known.isEnding ? "ending" : now?.status));
  }
  if (Object.keys(settings).length > 0) await answering(changeSettings(env.TENANT, tenant, settings));
  return entryOf((await readRow(env.CONTROL, tenant))!);
}

const whatIsThere = (tenant: string, status: string | undefined) =>
  status === "ending"
    ? `${tenant} is being deleted, and may be made anew when that is done; GET /v1/tenants/${tenant} says how far it is`
    : `there is a tenant ${tenant}; GET /v1/tenants/${tenant} shows it, and its admins change its settings (PUT /v1/tenant)`;

const INSERT = `
  INSERT INTO tenant (tenant, status, generation, devices, created_at) VALUES (?1, 'active', ?2, 0, ?3)
  ON CONFLICT (tenant) DO UPDATE SET status = 'active', created_at = excluded.created_at, deleted_at = NULL
  WHERE status = 'deleted' RETURNING tenant`;

/**
 * Returns the job that deletes a tenant, whose life is over when this resolves: no token of it is taken any more, wherever it
 * is shown. Undefined: there is no such tenant. Repeated, it is the same job until that is done. Costs what revoking all the
 * tenant's tokens costs, for at most 100,000 devices and 500 zones in the request.
 * @throws Problem `unavailable`: the job is noted, and tells those that were not told; ask again.
 */
export async function deletionOfTenant(
  env: ApiEnv,
  context: Pick<ExecutionContext, "waitUntil">,
  tenant: string,
): Promise<TenantDeletion | undefined> {
  const row = await readRow(env.CONTROL, tenant);
  if (row === undefined || row.status === "deleted") return undefined;
  if (row.status === "active") await fromStorage("D1", begin(env.CONTROL, row, wallMs()));
  const job = await fromStorage("D1", readTenantDeletion(env.CONTROL, tenant));
  if (job === undefined || job.status === "done") return undefined; // done within this instant
  await fromStorage("D1", resumeJob(env.CONTROL, DEPLOYMENT, job.id));
  const settings = await answering(endTenantLife(env, job.spec));
  if (!UNTOLD_PHASES.includes(job.progress.phase)) return job;
  const revoked = { notBeforeMs: wallMs(), ids: [] };
  if (await tellRevoked(env, context, tenant, { settings, revoked })) return job;
  throw new Problem(
    "unavailable",
    `${tenant} is being deleted, but not all its devices know it: until DELETE is answered 202, what they send may be taken and deleted; ask again`,
  );
}

/** In one transaction: the tenant ends, its own jobs stop, and the one that deletes it is there. */
const begin = (control: D1Database, { tenant, generation: before }: TenantRow, nowMs: number) => {
  // Lives of its devices that ended and began a moment ago are below it too, whoever's clock they went by.
  const generation = Math.max(nowMs + ISSUED_AHEAD_MS_MAX, before) + 2;
  return control.batch([
    control.prepare(SET_ENDING).bind(tenant, generation, before),
    control.prepare(STOP_JOBS).bind(tenant, generation),
    insertTenantDeletion(control, { tenant, generation }, nowMs),
  ]);
};

const SET_ENDING = `
  UPDATE tenant SET status = 'ending', generation = ?2 WHERE tenant = ?1 AND status = 'active' AND generation = ?3`;
const STOP_JOBS = `
  UPDATE job SET status = 'stopped' WHERE tenant = ?1 AND status IN ('running', 'receiving')
    AND EXISTS (SELECT 1 FROM tenant WHERE tenant = ?1 AND status = 'ending' AND generation = ?2)`;

async function readRow(control: D1Database, tenant: string): Promise<TenantRow | undefined> {
  const rows = await fromStorage(
    "D1",
    drizzle(control).select().from(tenantTable).where(eq(tenantTable.tenant, tenant)),
  );
  return rows[0];
}

const entryOf = ({ generation: _generation, status, ...row }: TenantRow): TenantEntry => ({
  ...row,
  status: status as TenantEntry["status"],
});

/** @throws Problem `unavailable` when it fails or does not answer. */
async function answering<T>(call: Promise<T>): Promise<T> {
  try {
    return await withDeadline(OBJECT_ANSWERS_MS, "the tenant's object", call);
  } catch (error) {
    console.error("a tenant's object does not answer", { error: String(error) });
    throw new Problem("unavailable", "the tenant's object is away; ask the same again");
  }
}
