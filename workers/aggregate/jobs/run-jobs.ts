// Running jobs → taken further, step by step, fairly, until the turn ends. What a step does is its kind's; a step is
// whole and may be done twice, so a runner that dies costs a repetition and nothing else.
import type { JobKind } from "../../../schemas/job.ts";
import { wallMs } from "../../clock.ts";
import { giveWay } from "../../give-way.ts";
import { discardForgotten, type JobRow, type SavedProgress } from "../../jobs.ts";
import type { Turn } from "../chores/chores.ts";
import type { AggregateEnv } from "../env.ts";
import { deleteDevice } from "./delete/delete-device.ts";
import { deleteTenant } from "./delete-tenant/delete-tenant.ts";
import { exportTenant } from "./export/export-tenant.ts";
import { importReadings } from "./import/import-readings.ts";
import { replayRange } from "./replay/replay-range.ts";
import type { RunningJob, Step } from "./step.ts";

/** The step of each kind of job; a kind without one is not run. */
// biome-ignore lint/suspicious/noExplicitAny: each kind's step takes the spec of its kind
export type Steps = Partial<Record<JobKind, (job: RunningJob<any>) => Promise<Step>>>;

const STEPS: Steps = {
  delete: deleteDevice,
  "delete-tenant": deleteTenant,
  replay: replayRange,
  import: importReadings,
  export: exportTenant,
};

/** How long one job goes on while others wait. */
const SHARE_MS = 5_000;
/** A step that failed is tried again at doubling distance; after so many failures, some five hours, somebody has to resume the job. */
const FAILURES_MAX = 12;
const RETRY_MS = 15_000;
const RETRY_MS_MAX = 3_600_000;
const ERROR_CHARS_MAX = 500;

/**
 * Runs the running jobs for one turn, and discards imports that nobody started within a week. Returns the cursor.
 * @throws when D1 fails.
 */
export async function runJobs(turn: Turn): Promise<string> {
  await discardForgotten(turn.env.CONTROL, wallMs());
  return await runJobsBy(STEPS, turn);
}

/**
 * Goes round the tenants that have running jobs, from where the last turn stopped, until time is up or no job can be
 * taken further: a job of each tenant in turn, each tenant's jobs one after another. Returns the cursor, `tenant/id`; ""
 * when none can be. A step that fails is noted in its job, and delays only that.
 * @throws when D1 fails.
 */
export async function runJobsBy(steps: Steps, { env, cursor, untilMs }: Turn): Promise<string> {
  const resting = new Set<string>();
  const [begin = "", id = ""] = cursor.split("/");
  /** The job of each tenant that was at it last. */
  const places = new Map([[begin, id]]);
  for (let after = begin; ; ) {
    const row = await nextJob(env.CONTROL, after, places, [...resting]);
    if (row === undefined) {
      if (after === "") return "";
      after = "";
      continue;
    }
    after = row.tenant;
    places.set(row.tenant, row.id);
    if (!(await advance(steps, env, row, Math.min(untilMs, wallMs() + SHARE_MS)))) resting.add(nameOf(row));
    if (wallMs() >= untilMs) return nameOf(row);
  }
}

const nameOf = ({ tenant, id }: JobRow) => `${tenant}/${id}`;

/** Of the first tenant after `after` that has a running job which does not rest: the first after its place, else its first. */
async function nextJob(
  control: D1Database,
  after: string,
  places: ReadonlyMap<string, string>,
  resting: readonly string[],
): Promise<JobRow | undefined> {
  const select = (more: string, ...values: string[]) =>
    control
      .prepare(`${SELECT_NEXT} AND ${more} ORDER BY tenant, id LIMIT 1`)
      .bind(JSON.stringify(resting), ...values)
      .first<JobRow>();
  const first = await select("tenant > ?2", after);
  const place = first === null ? undefined : places.get(first.tenant);
  if (first === null || place === undefined) return first ?? undefined;
  return (await select("tenant = ?2 AND id > ?3", first.tenant, place)) ?? first;
}

const SELECT_NEXT = `
  SELECT tenant, id, kind, status, spec, progress, error, created_at AS createdAt, updated_at AS updatedAt,
    finished_at AS finishedAt
  FROM job WHERE status = 'running' AND tenant || '/' || id NOT IN (SELECT value FROM json_each(?1))`;

/** Takes one job further until its share is used up. False: it can do nothing more in this turn. */
async function advance(steps: Steps, env: AggregateEnv, row: JobRow, untilMs: number): Promise<boolean> {
  const step = steps[row.kind as JobKind];
  if (step === undefined) return false;
  const { tenant, id, createdAt } = row;
  const spec: unknown = JSON.parse(row.spec);
  let progress = JSON.parse(row.progress) as SavedProgress;
  let movedAt = row.updatedAt;
  if (progress.retryAt > wallMs() && env.CHORES !== "always") return false;
  while (wallMs() < untilMs) {
    await giveWay();
    let made: Step;
    try {
      made = await step({ env, tenant, id, createdAt, spec, cursor: progress.cursor, progress });
    } catch (error) {
      const failures = progress.failures + 1;
      const retryAt = wallMs() + Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** failures);
      const failed = failures >= FAILURES_MAX;
      console.error("a step of a job failed", {
        tenant,
        job: id,
        kind: row.kind,
        failures,
        error: String(error),
      });
      const text = String(error).slice(0, ERROR_CHARS_MAX);
      await save(
        env.CONTROL,
        row,
        movedAt,
        { ...progress, failures, retryAt },
        failed ? "failed" : "running",
        text,
      );
      return false;
    }
    progress = afterStep(progress, made);
    const { outcome, error = null } = made;
    const status = outcome === "done" || outcome === "stopped" ? outcome : "running";
    const saved = await save(env.CONTROL, row, movedAt, progress, status, error);
    if (saved === undefined || outcome !== "more") return false;
    movedAt = saved;
  }
  return true;
}

function afterStep(progress: SavedProgress, made: Step): SavedProgress {
  const counts = { ...progress.counts };
  for (const [name, count] of Object.entries(made.counts ?? {})) counts[name] = (counts[name] ?? 0) + count;
  return {
    ...progress,
    phase: made.phase ?? progress.phase,
    done: made.done ?? progress.done,
    total: made.total === undefined ? progress.total : made.total,
    counts,
    cursor: made.cursor === undefined ? progress.cursor : made.cursor,
    failures: 0,
    retryAt: 0,
  };
}

/**
 * Saves how far the job is, unless another runner has gone on with it meanwhile. Returns the row's new `updated_at`;
 * undefined when this runner must leave the job alone, because it is another's, was stopped, or is over.
 */
async function save(
  control: D1Database,
  { tenant, id }: JobRow,
  movedAt: number,
  progress: SavedProgress,
  status: "running" | "done" | "failed" | "stopped",
  error: string | null,
): Promise<number | undefined> {
  const updatedAt = Math.max(wallMs(), movedAt + 1);
  const saved = await control
    .prepare(SAVE)
    .bind(tenant, id, movedAt, updatedAt, JSON.stringify(progress), status, error)
    .first<string>("status");
  return saved === "running" ? updatedAt : undefined;
}

/** Whoever stopped the job meanwhile finds it stopped, or done when that was its last step. */
const SAVE = `
  UPDATE job SET updated_at = ?4, progress = ?5, error = ?7,
    status = CASE ?6 WHEN 'running' THEN status ELSE ?6 END,
    finished_at = CASE ?6 WHEN 'running' THEN NULL ELSE ?4 END
  WHERE tenant = ?1 AND id = ?2 AND updated_at = ?3 RETURNING status`;
