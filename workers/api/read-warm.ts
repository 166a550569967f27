// Rollups in D1 → parts of windows of one metric.
import { and, asc, eq, gte, lt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { unpackSummary } from "../../core/window/pack-summary.ts";
import type { Summary } from "../../core/window/summary.ts";
import { rollup } from "../../schemas/tables.ts";

/** One part a sealed block with readings of the metric, ascending; a block lies inside one hour. */
export async function readWarm(
  database: D1Database,
  {
    tenant,
    device,
    metric,
    startMs,
    endMs,
  }: { tenant: string; device: string; metric: string; startMs: number; endMs: number },
): Promise<{ startMs: number; summary: Summary }[]> {
  const rows = await drizzle(database)
    .select({ startMs: rollup.startMs, summary: summaryOf(metric) })
    .from(rollup)
    .where(
      and(
        eq(rollup.tenant, tenant),
        eq(rollup.device, device),
        gte(rollup.startMs, startMs),
        lt(rollup.startMs, endMs),
      ),
    )
    .orderBy(asc(rollup.startMs));
  return rows.flatMap(({ startMs, summary }) =>
    summary === null ? [] : [{ startMs, summary: unpackSummary(summary) }],
  );
}

/** One metric out of a packed row, picked where the row lies: a device may have a thousand. Null: it has none. */
const summaryOf = (metric: string) =>
  sql<string | null>`(SELECT value FROM json_each(${rollup.summaries}) WHERE key = ${metric})`;
