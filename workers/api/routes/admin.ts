// /v1/admin: long work for the tenant, and how far it is.
import { type Context, Hono } from "hono";
import { type JobAnswer, jobsQuery, replayBody } from "../../../schemas/job.ts";
import { wallMs } from "../../clock.ts";
import {
  createDeletion,
  createJob,
  readJob,
  readJobs,
  resumeJob,
  stopJob,
  unfinishedDeletion,
} from "../../jobs.ts";
import { Problem } from "../../problem.ts";
import { warmOf } from "../../warm.ts";
import { type ApiContext, requireRole } from "../caller.ts";
import type { ApiEnv } from "../env.ts";
import { readDevice } from "../registry.ts";
import { validate, validateBody } from "../validate.ts";

export const admin = new Hono<ApiContext>();

/** A job that was taken on: 202, and where it says how far it is. */
export const accepted = (c: Context<ApiContext>, job: JobAnswer) =>
  c.json(job, 202, { location: `/v1/admin/jobs/${job.id}` });

const noSuchJob = (id: string) => new Problem("not_found", `no job ${id}; GET /v1/admin/jobs lists them`);

admin.get("/jobs", requireRole("admin"), async (c) => {
  const { status, after, limit } = validate(jobsQuery, c.req.query(), "invalid_query");
  return c.json(await readJobs(c.env.CONTROL, c.var.caller.tenant, { status, after, limit }));
});

admin.get("/jobs/:job", requireRole("admin"), async (c) => {
  const id = c.req.param("job");
  const job = await readJob(c.env.CONTROL, c.var.caller.tenant, id);
  if (job === undefined) throw noSuchJob(id);
  return c.json(job);
});

admin.post("/jobs/:job/:change{stop|resume}", requireRole("admin"), async (c) => {
  const id = c.req.param("job");
  const change = c.req.param("change") === "stop" ? stopJob : resumeJob;
  const job = await change(c.env.CONTROL, c.var.caller.tenant, id);
  if (job === undefined) throw noSuchJob(id);
  return c.json(job);
});

admin.post("/replay", requireRole("admin"), async (c) => {
  const { from, to, source } = await validateBody(replayBody, c.req.raw);
  const spec = { fromMs: from, toMs: to, source };
  return accepted(c, await createJob(c.env.CONTROL, c.var.caller.tenant, "replay", spec, wallMs()));
});

/**
 * The job that deletes a device: the one that is not done yet, or a new one. What the device sends afterwards begins a
 * new life. Undefined: nobody knows the device.
 */
export async function deletionOf(
  env: ApiEnv,
  tenant: string,
  device: string,
): Promise<JobAnswer | undefined> {
  const isKnown =
    (await unfinishedDeletion(env.CONTROL, tenant, device)) !== undefined ||
    (await readDevice(env.CONTROL, tenant, device)) !== undefined ||
    (await env.DEVICE.getByName(`${tenant}/${device}`).latest()) !== null;
  if (!isKnown) return undefined;
  const last = await warmOf(env, tenant, device)
    .prepare("SELECT generation FROM tombstone WHERE tenant = ?1 AND device = ?2")
    .bind(tenant, device)
    .first<number>("generation");
  const now = wallMs();
  const generation = Math.max(now, (last ?? 0) + 1);
  return await createDeletion(env.CONTROL, tenant, { device, generation }, now);
}
