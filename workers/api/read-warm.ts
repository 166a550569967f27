// Rollups in D1 → parts of windows of one metric.
import { and, asc, eq, gt, lt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { BUCKET_MS_MAX } from "../../core/window/align.ts";
import { type HourSummary, unpackSummary } from "../../core/window/pack-summary.ts";
import { retained, rollup } from "../../schemas/tables.ts";
import { fromStorage } from "./storage.ts";

/**
 * Returns one part for each clock hour that begins in `[startMs, endMs)` and each block that does, with readings of
 * the metric in it, blocks ascending. A block that begins before `startMs` may reach into it: the rows asked for
 * begin one bucket earlier. `fromMs`: from here on D1 has all.
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
): Promise<{ hours: HourSummary[]; fromMs: number }> {
  const db = drizzle(database);
  const rollups = db
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
  const [rows, reach] = await fromStorage("D1", db.batch([rollups, reachOf(database, tenant)]));
  const hours = rows
    .flatMap(({ summary }) => (summary === null ? [] : unpackSummary(summary)))
    .filter((hour) => hour.startMs >= startMs && hour.startMs < endMs);
  return { hours, fromMs: reach[0]?.hourlyFromMs ?? 0 };
}

/** Returns from which instant on the database has the tenant's rollups; 0: it has all there ever were. */
export async function readWarmFrom(database: D1Database, tenant: string): Promise<number> {
  const [row] = await fromStorage("D1", reachOf(database, tenant));
  return row?.hourlyFromMs ?? 0;
}

const reachOf = (database: D1Database, tenant: string) =>
  drizzle(database)
    .select({ hourlyFromMs: retained.hourlyFromMs })
    .from(retained)
    .where(eq(retained.tenant, tenant));

/** One metric out of a packed row, picked where the row lies: a device may have a thousand. Null: it has none. */
const summaryOf = (metric: string) =>
  sql<string | null>`(SELECT value FROM json_each(${rollup.summaries}) WHERE key = ${metric})`;
