// What the tests of jobs share: the cron, the queue, and what storage has.
import { createExecutionContext, env, getQueueResult } from "cloudflare:test";
import { unpackSummaries } from "../../../core/window/pack-summary.ts";
import type { JobAnswer } from "../../../schemas/job.ts";
import { readJob } from "../../jobs.ts";
import { openParquet, readRowGroups } from "../../parquet.ts";
import { batchOf } from "../../test-support.ts";
import { computeZoneHours } from "../chores/compute-zone-hours.ts";
import type { AggregateEnv } from "../env.ts";
import { consumeBlocks } from "../queues/consume-blocks.ts";
import { runJobs } from "./run-jobs.ts";

export const hastyEnv: AggregateEnv = { ...(env as unknown as AggregateEnv), CHORES: "always" };

export const turn = (given: AggregateEnv = hastyEnv) => ({
  env: given,
  cursor: "",
  untilMs: Date.now() + 60_000,
});

/** What the cron does, once. */
export async function tick(given?: AggregateEnv): Promise<void> {
  await computeZoneHours(turn(given));
  await runJobs(turn(given));
}

/** Ticks until the job is over; gives it. */
export async function finished(tenant: string, id: string, given?: AggregateEnv): Promise<JobAnswer> {
  for (let ticks = 0; ticks < 50; ticks++) {
    await tick(given);
    const job = (await readJob(env.CONTROL, tenant, id))!;
    if (job.finishedAt !== null) return job;
  }
  throw new Error(`job ${id} does not end: ${JSON.stringify(await readJob(env.CONTROL, tenant, id))}`);
}

export async function deliver(...bodies: unknown[]): Promise<{ acknowledged: number; retried: number }> {
  const batch = batchOf(...bodies);
  await consumeBlocks(batch, hastyEnv);
  const { explicitAcks, retryMessages } = await getQueueResult(batch, createExecutionContext());
  return { acknowledged: explicitAcks.length, retried: retryMessages.length };
}

export const rowsIn = async (tenant: string, query: string, database: D1Database = env.WARM_0) =>
  (await database.prepare(query).bind(tenant).all<Record<string, unknown>>()).results;

/** Rollups and hours as they are, to the last digit; the order of metrics in a text says nothing. */
export async function warmTablesOf(
  tenant: string,
): Promise<Record<"rollups" | "hours" | "dirty", Record<string, unknown>[]>> {
  const rollups = await rowsIn(tenant, "SELECT * FROM rollup WHERE tenant = ? ORDER BY device, start_ms");
  const hours = await rowsIn(tenant, "SELECT * FROM zone_hour WHERE tenant = ? ORDER BY zone, hour_ms");
  return {
    rollups: rollups.map(({ summaries, ...row }) => ({
      ...row,
      summaries: unpackSummaries(summaries as string),
    })),
    hours: hours.map(({ metrics, ...row }) => ({
      ...row,
      metrics: JSON.parse(metrics as string) as unknown,
    })),
    dirty: await rowsIn(tenant, "SELECT * FROM dirty_hour WHERE tenant = ?"),
  };
}

/** Every object of the tenant in the bucket, and of each Parquet file how many rows each device has. */
export async function bucketOf(tenant: string): Promise<Map<string, Record<string, number>>> {
  const found = new Map<string, Record<string, number>>();
  for (const prefix of ["raw", "hourly", "import", "job"]) {
    const { objects } = await env.COLD.list({ prefix: `${prefix}/tenant=${tenant}/` });
    for (const { key, size } of objects) {
      const devices: Record<string, number> = {};
      if (key.endsWith(".parquet")) {
        const file = await openParquet(env.COLD, key, size);
        for (const group of file.metadata.row_groups.keys()) {
          const [rows] = await readRowGroups(file, ["device"], { group });
          for (const device of rows!.device) devices[device] = (devices[device] ?? 0) + 1;
        }
      }
      found.set(key, devices);
    }
  }
  return found;
}

/** A bucket or database with some methods replaced. */
export const instead = <T extends object>(of: T, methods: Partial<Record<keyof T, unknown>>): T =>
  new Proxy(of, {
    get(target, name) {
      const method = methods[name as keyof T] ?? target[name as keyof T];
      return typeof method === "function" ? (method.bind(target) as unknown) : method;
    },
  });
