// Long work for a tenant: what it is asked to do, and how far it is.
import * as z from "zod";
import { readingCode } from "./error.ts";
import { REVISION_MAX } from "./limits.ts";
import { deviceName, tenantName, zoneName } from "./name.ts";
import { bodyInstant } from "./query.ts";
import { report } from "./reading.ts";

const count = z.number().int().nonnegative();
const instantMs = z.number().int();

/**
 * PERSISTED with the job: new fields are optional. `generation`: lives of the device up to this one are deleted. `zones`:
 * where its alerts may be, beside those that D1 names; absent: nowhere else.
 */
export const deleteSpec = z.object({
  device: deviceName,
  generation: count,
  zones: z.array(zoneName).optional(),
});
export type DeleteSpec = z.infer<typeof deleteSpec>;

/** PERSISTED with the job. `generation`: lives of the tenant's devices below this one are deleted. */
export const deleteTenantSpec = z.object({ tenant: tenantName, generation: count });
export type DeleteTenantSpec = z.infer<typeof deleteTenantSpec>;

/** PERSISTED with the job. The half-open range of the readings' own time. */
export const replaySpec = z.object({
  fromMs: instantMs,
  toMs: instantMs,
  /** `archive`: from the Parquet files; `blocks`: from what the devices' objects still hold. */
  source: z.enum(["archive", "blocks"]),
});
export type ReplaySpec = z.infer<typeof replaySpec>;

/** PERSISTED with the job. `zone`: where devices are that the registry does not know yet. */
export const importSpec = z.object({ zone: zoneName });
export type ImportSpec = z.infer<typeof importSpec>;

/** PERSISTED with the job. All of the tenant: there is nothing to choose. */
export const exportSpec = z.object({});

/**
 * `receiving`: an import that takes parts and was not started; `failed`: the same step failed again and again, and
 * resuming tries once more.
 */
export const jobStatus = z.enum(["receiving", "running", "stopped", "done", "failed"]);
export type JobStatus = z.infer<typeof jobStatus>;

/** `done` of `total` in the unit of the phase; `counts` add up what was done so far, by name. */
export const jobProgress = z.object({
  phase: z.string(),
  done: count,
  total: count.nullable(),
  counts: z.record(z.string(), count),
});
export type JobProgress = z.infer<typeof jobProgress>;

const common = {
  id: z.string(),
  status: jobStatus,
  progress: jobProgress,
  /** Why the last try of a step failed, while it is being tried again and when the job failed. */
  error: z.string().nullable(),
  createdAt: instantMs,
  /** When it last moved on. */
  updatedAt: instantMs,
  finishedAt: instantMs.nullable(),
};

/** The deletion of a tenant: a job of the deployment. */
export const tenantDeletion = z.object({
  ...common,
  kind: z.literal("delete-tenant"),
  spec: deleteTenantSpec,
});
export type TenantDeletion = z.infer<typeof tenantDeletion>;

export const jobAnswer = z.discriminatedUnion("kind", [
  z.object({ ...common, kind: z.literal("delete"), spec: deleteSpec }),
  z.object({ ...common, kind: z.literal("replay"), spec: replaySpec }),
  z.object({ ...common, kind: z.literal("import"), spec: importSpec }),
  z.object({ ...common, kind: z.literal("export"), spec: exportSpec }),
]);
export type JobAnswer = z.infer<typeof jobAnswer>;
export type JobKind = JobAnswer["kind"] | TenantDeletion["kind"];

/** Newest first. */
export const jobList = z.object({ jobs: z.array(jobAnswer), next: z.string().nullable() });

/** `GET /v1/admin/jobs`. */
export const jobsQuery = z.object({
  status: jobStatus.optional(),
  after: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

/** `POST /v1/admin/replay`: epoch ms or ISO 8601. */
export const replayBody = z
  .strictObject({
    from: bodyInstant,
    to: bodyInstant,
    source: replaySpec.shape.source.default("archive"),
  })
  .refine(({ from, to }) => from < to, { error: '"from" is before "to"' });

/** `POST /v1/admin/import`. */
export const importBody = z.strictObject({ zone: zoneName.default("default") });

/**
 * A line of `PUT /v1/admin/import/:job/parts/:part`. `revision`: of two values of a reading within an import that of the
 * higher one counts; absent: above every revision.
 */
export const importLine = report.extend({ revision: z.number().int().min(0).max(REVISION_MAX).optional() });

/** The line of a part, counted from 1, and why it or a reading of it was refused. */
export const importProblem = z.object({
  line: z.number().int().positive(),
  metric: z.string().optional(),
  code: readingCode.or(z.enum(["at_missing", "too_recent"])),
  message: z.string(),
});

/** The answer to `PUT /v1/admin/import/:job/parts/:part`: the first hundred problems, and everything counted. */
export const partAnswer = z.object({ readings: count, refused: count, problems: z.array(importProblem) });
export type PartAnswer = z.infer<typeof partAnswer>;
