// Rollups in D1 → parts of windows of one metric.
import { and, asc, eq, gt, lt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { BUCKET_MS_MAX } from "../../core/window/align.ts";
import { type HourSummary, unpackSummary } from "../../core/window/pack-summary.ts";
import { rollup } from "../../schemas/tables.ts";

/**
 * One part for each clock hour that begins in `[startMs, endMs)` and each sealed block with readings of the metric in it,
 * blocks ascending. A block that begins before `startMs` may reach into it: the rows asked for begin one bucket earlier.
 */
export async function readWarm(
  database: D1Database,
  {
    tenant,
    device,
    metric,
    startMs,
    endMs,
  }: { tenant: string; device: string; metric: string; startMs: number; endMs: number },
): Promise<HourSummary[]> {
  const rows = await drizzle(database)
    .select({ summary: summaryOf(metric) })
    .from(rollup)
    .where(
      and(
        eq(rollup.tenant, tenant),
        eq(rollup.device, device),
        gt(rollup.startMs, startMs - BUCKET_MS_MAX),
        gt(rollup.endMs, startMs),
        lt(rollup.startMs, endMs),
      ),
    )
    .orderBy(asc(rollup.startMs));
  return rows
    .flatMap(({ summary }) => (summary === null ? [] : unpackSummary(summary)))
    .filter((hour) => hour.startMs >= startMs && hour.startMs < endMs);
}

/** One metric out of a packed row, picked where the row lies: a device may have a thousand. Null: it has none. */
const summaryOf = (metric: string) =>
  sql<string | null>`(SELECT value FROM json_each(${rollup.summaries}) WHERE key = ${metric})`;
