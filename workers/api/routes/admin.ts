// /v1/admin: long work for the tenant, and how far it is.
import { type Context, Hono } from "hono";
import * as z from "zod";
import { checkLines, importSpan } from "../../../core/job/check-import.ts";
import { PartBuilder } from "../../../core/job/import-part.ts";
import { importBody, type JobAnswer, jobsQuery, replayBody } from "../../../schemas/job.ts";
import { BODY_BYTES_MAX } from "../../../schemas/limits.ts";
import { wallMs } from "../../clock.ts";
import { PARTS_MAX, partKey } from "../../import-parts.ts";
import {
  createDeletion,
  createJob,
  readJob,
  readJobs,
  resumeJob,
  startJob,
  stopJob,
  unfinishedDeletion,
} from "../../jobs.ts";
import { Problem } from "../../problem.ts";
import { readSettings } from "../../tenant.ts";
import { warmOf } from "../../warm.ts";
import { type ApiContext, requireRole } from "../caller.ts";
import type { ApiEnv } from "../env.ts";
import { readDevice } from "../registry.ts";
import { fromStorage } from "../storage.ts";
import { validate, validateBody } from "../validate.ts";

export const admin = new Hono<ApiContext>();

const partNumber = z.coerce
  .number()
  .int()
  .min(0)
  .max(PARTS_MAX - 1);

/** A part of 4 MiB takes longer to store than a question to answer. */
const PART_STORED_MS = 20_000;

/** A job that was taken on: 202, and where it says how far it is. */
export const accepted = (c: Context<ApiContext>, job: JobAnswer) =>
  c.json(job, 202, { location: `/v1/admin/jobs/${job.id}` });

const noSuchJob = (id: string) => new Problem("not_found", `no job ${id}; GET /v1/admin/jobs lists them`);

admin.get("/jobs", requireRole("admin"), async (c) => {
  const { status, after, limit } = validate(jobsQuery, c.req.query(), "invalid_query");
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

admin.post("/jobs/:job/:change{stop|resume}", requireRole("admin"), async (c) => {
  const id = c.req.param("job");
  const change = c.req.param("change") === "stop" ? stopJob : resumeJob;
  const job = await fromStorage("D1", change(c.env.CONTROL, c.var.caller.tenant, id));
  if (job === undefined) throw noSuchJob(id);
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

/** NDJSON, a report a line, gzip if you like. Again: replaces the part. */
admin.put("/import/:job/parts/:part", requireRole("admin"), async (c) => {
  const { tenant } = c.var.caller;
  const id = c.req.param("job");
  const part = validate(partNumber, c.req.param("part"), "invalid_query");
  await receivingImport(c.env, tenant, id);
  const text = await readNdjson(c.req.raw);
  const now = wallMs();
  const span = importSpan(await readSettings(c.env.TENANT, tenant), now);
  const builder = new PartBuilder();
  const checked = checkLines(text, now, span, ({ device, at, names, values }) =>
    builder.add(device, at, names, values),
  );
  await fromStorage("R2", c.env.COLD.put(partKey(tenant, id, part), builder.finish()), PART_STORED_MS);
  await receivingImport(c.env, tenant, id); // else it was started meanwhile, perhaps without this part
  return c.json(checked);
});

admin.post("/import/:job/start", requireRole("admin"), async (c) => {
  const { tenant } = c.var.caller;
  const id = c.req.param("job");
  const known = await fromStorage("D1", readJob(c.env.CONTROL, tenant, id));
  if (known?.kind !== "import") throw noSuchJob(id);
  return accepted(c, (await fromStorage("D1", startJob(c.env.CONTROL, tenant, id)))!);
});

/** @throws Problem unless the job is an import that takes parts. */
async function receivingImport(env: ApiEnv, tenant: string, id: string): Promise<void> {
  const job = await fromStorage("D1", readJob(env.CONTROL, tenant, id));
  if (job?.kind !== "import") throw noSuchJob(id);
  if (job.status !== "receiving") {
    throw new Problem(
      "invalid_query",
      `import ${id} is ${job.status}; it takes parts until it is started: make another`,
    );
  }
}

/** The body as text, inflated, no longer than a telemetry request may be. */
async function readNdjson(request: Request): Promise<string> {
  const encoding = (request.headers.get("content-encoding") ?? "identity").toLowerCase();
  if (encoding !== "identity" && encoding !== "gzip") {
    throw new Problem(
      "unsupported_media_type",
      `content-encoding ${encoding} is not known; send gzip or none`,
    );
  }
  const body = request.body ?? new Blob([]).stream();
  const stream = encoding === "gzip" ? body.pipeThrough(new DecompressionStream("gzip")) : body;
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let text = "";
  let bytes = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) break;
      text += decoder.decode(chunk, { stream: true });
    }
    if (bytes <= BODY_BYTES_MAX) return text + decoder.decode();
  } catch (error) {
    throw new Problem(
      "malformed_json",
      `the part is not ${encoding === "gzip" ? "gzip of " : ""}UTF-8: ${error}`,
    );
  }
  const most = `at most ${BODY_BYTES_MAX} are taken: send it in parts`;
  throw new Problem(
    "payload_too_large",
    `the part has more than ${BODY_BYTES_MAX} bytes (after inflating); ${most}`,
  );
}

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
    (await fromStorage("D1", unfinishedDeletion(env.CONTROL, tenant, device))) !== undefined ||
    (await readDevice(env.CONTROL, tenant, device)) !== undefined ||
    (await env.DEVICE.getByName(`${tenant}/${device}`).latest()) !== null;
  if (!isKnown) return undefined;
  const tombstone = warmOf(env, tenant, device)
    .prepare("SELECT generation FROM tombstone WHERE tenant = ?1 AND device = ?2")
    .bind(tenant, device);
  const last = await fromStorage("D1", tombstone.first<number>("generation"));
  const now = wallMs();
  const generation = Math.max(now, (last ?? 0) + 1);
  return await fromStorage("D1", createDeletion(env.CONTROL, tenant, { device, generation }, now));
}
