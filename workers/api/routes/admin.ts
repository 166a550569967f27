// /v1/admin: long work for the tenant, and how far it is.
import { type Context, Hono } from "hono";
import * as z from "zod";
import { checkLines, importSpan } from "../../../core/job/check-import.ts";
import { PartBuilder } from "../../../core/job/import-part.ts";
import { importBody, type JobAnswer, jobsQuery, replayBody } from "../../../schemas/job.ts";
import { BODY_BYTES_MAX } from "../../../schemas/limits.ts";
import { wallMs } from "../../clock.ts";
import { endLife, lastLifeOf } from "../../end-life.ts";
import { PARTS_MAX } from "../../import-parts.ts";
import {
  createDeletion,
  createJob,
  deletedSince,
  readJob,
  readJobs,
  resumeJob,
  startJob,
  stopJob,
  tooManyJobs,
  unfinishedDeletion,
} from "../../jobs.ts";
import { Problem } from "../../problem.ts";
import { readBody } from "../../read-body.ts";
import { readSettings, releaseDevice } from "../../tenant.ts";
import { withDeadline } from "../../with-deadline.ts";
import { type ApiContext, noBody, requireRole } from "../caller.ts";
import type { ApiEnv } from "../env.ts";
import { readDevice } from "../registry.ts";
import { revokeDevice } from "../revoke.ts";
import { fromStorage } from "../storage.ts";
import { storePart } from "../store-part.ts";
import { markRevoked } from "../token-list.ts";
import { validate, validateBody } from "../validate.ts";

export const admin = new Hono<ApiContext>();

const partNumber = z.coerce
  .number()
  .int()
  .min(0)
  .max(PARTS_MAX - 1);

const PART_LIMIT = { mostBytes: BODY_BYTES_MAX, remedy: "send it in more parts" };

/** Returns the answer to a job that was taken on: 202, and where it says how far it is. */
export const accepted = (c: Pick<Context, "json">, job: JobAnswer) =>
  c.json(job, 202, { location: `/v1/admin/jobs/${job.id}` });

const noSuchJob = (id: string) => new Problem("not_found", `no job ${id}; GET /v1/admin/jobs lists them`);

admin.get("/jobs", requireRole("admin", jobsQuery), async (c) => {
  const { status, after, limit } = c.var.query;
  return c.json(
    await fromStorage("D1", readJobs(c.env.CONTROL, c.var.caller.tenant, { status, after, limit })),
  );
});

admin.get("/jobs/:job", requireRole("admin"), async (c) => {
  const id = c.req.param("job");
  const job = await fromStorage("D1", readJob(c.env.CONTROL, c.var.caller.tenant, id));
  if (job === undefined) throw noSuchJob(id);
  return c.json(job);
});

admin.post("/jobs/:job/:change{stop|resume}", requireRole("admin"), noBody, async (c) => {
  const id = c.req.param("job");
  const isResumed = c.req.param("change") === "resume";
  const change = isResumed ? resumeJob : stopJob;
  const job = await fromStorage("D1", change(c.env.CONTROL, c.var.caller.tenant, id));
  if (job === undefined) throw noSuchJob(id);
  if (isResumed && (job.status === "stopped" || job.status === "failed")) throw tooManyJobs();
  return c.json(job);
});

admin.post("/replay", requireRole("admin"), async (c) => {
  const { from, to, source } = await validateBody(replayBody, c.req.raw);
  const spec = { fromMs: from, toMs: to, source };
  const made = createJob(c.env.CONTROL, c.var.caller.tenant, "replay", spec, wallMs());
  return accepted(c, await fromStorage("D1", made));
});

admin.post("/import", requireRole("admin"), async (c) => {
  const spec = await validateBody(importBody, c.req.raw);
  const { tenant } = c.var.caller;
  const made = createJob(c.env.CONTROL, tenant, "import", spec, wallMs(), "receiving");
  return accepted(c, await fromStorage("D1", made));
});

/** NDJSON, a report a line, with its revision where it has one, gzip if you like. Again: replaces the part. */
admin.put("/import/:job/parts/:part", requireRole("admin"), async (c) => {
  const { tenant } = c.var.caller;
  const id = c.req.param("job");
  const part = validate(partNumber, c.req.param("part"), "invalid_query");
  await receivingImport(c.env, tenant, id);
  const text = await readBody(c.req.raw, PART_LIMIT);
  const now = wallMs();
  const span = importSpan(await readSettings(c.env.TENANT, tenant), now);
  const builder = new PartBuilder();
  const devices = new Set<string>();
  const checked = checkLines(text, now, span, (line) => {
    devices.add(line.device);
    builder.add(line);
  });
  await storePart(c.env, tenant, id, part, builder.finish());
  // Else it was started meanwhile, perhaps without this part.
  const { createdAt } = await receivingImport(c.env, tenant, id);
  const deleted = await fromStorage("D1", deletedSince(c.env.CONTROL, tenant, devices, createdAt));
  if (deleted !== undefined) {
    throw new Problem(
      "conflict",
      `device ${deleted} was deleted after import ${id} was made, which brings nothing of it back; make another import`,
    );
  }
  return c.json(checked);
});

admin.post("/import/:job/start", requireRole("admin"), noBody, async (c) => {
  const { tenant } = c.var.caller;
  const id = c.req.param("job");
  const known = await fromStorage("D1", readJob(c.env.CONTROL, tenant, id));
  if (known?.kind !== "import") throw noSuchJob(id);
  return accepted(c, (await fromStorage("D1", startJob(c.env.CONTROL, tenant, id)))!);
});

/** @throws Problem unless the job is an import that takes parts. */
async function receivingImport(env: ApiEnv, tenant: string, id: string): Promise<JobAnswer> {
  const job = await fromStorage("D1", readJob(env.CONTROL, tenant, id));
  if (job?.kind !== "import") throw noSuchJob(id);
  if (job.status !== "receiving") {
    throw new Problem(
      "invalid_query",
      `import ${id} is ${job.status}; it takes parts until it is started: make another`,
    );
  }
  return job;
}

/** Longer than a zone takes to hear that the alerts are over; the caller waits. */
const LIFE_ENDS_MS = 10_000;

/**
 * Returns the job that deletes a device, whose life is over when this resolves: the one that is not done yet, or a
 * new one. One that is not done ends a life that the device has begun meanwhile too. Undefined: nobody knows the
 * device. `block`: the device's own tokens are void from now on, in the next life too.
 * @throws Problem `unavailable`: the job is noted, and ends the life when the cron, or who asks again, gets through.
 */
export async function deletionOf(
  env: ApiEnv,
  tenant: string,
  device: string,
  block: boolean,
): Promise<JobAnswer | undefined> {
  const [unfinished, entry, { generation: living, isKnown, zones }] = await Promise.all([
    fromStorage("D1", unfinishedDeletion(env.CONTROL, tenant, device)),
    readDevice(env.CONTROL, tenant, device),
    answering(device, env.DEVICE.getByName(`${tenant}/${device}`).life()),
  ]);
  const isThere = isKnown || entry !== undefined;
  if (!isThere && unfinished === undefined) return undefined;
  const now = wallMs();
  if (block) {
    await revokeDevice(env, tenant, device, { notBeforeMs: now });
    await markRevoked(env.CONTROL, tenant, { notBeforeMs: now, device }, now);
  }
  const goesOn = unfinished !== undefined && !(isThere && living > lastLifeOf(unfinished.spec));
  const spec = goesOn
    ? unfinished.spec
    : {
        device,
        generation: Math.max(now, living),
        zones: [...new Set([...zones, ...(unfinished?.spec.zones ?? [])])],
      };
  const job = await fromStorage("D1", createDeletion(env.CONTROL, tenant, spec, now));
  await answering(device, endLife(env, tenant, job.spec));
  await releaseDevice(env.TENANT, tenant, device).catch((error) => {
    console.warn("a deleted device counts for a minute more", { tenant, device, error: String(error) });
  });
  return job;
}

/** @throws Problem `unavailable` when it fails or does not answer. */
async function answering<T>(device: string, call: Promise<T>): Promise<T> {
  try {
    return await withDeadline(LIFE_ENDS_MS, device, call);
  } catch (error) {
    console.error("the life of a device is not known to be over", { device, error: String(error) });
    throw new Problem(
      "unavailable",
      `the life of ${device} is not known to be over: until DELETE is answered 202, what it sends may be deleted too; ask again`,
    );
  }
}
