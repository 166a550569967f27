// The archive's hourly files → the summaries of a metric's hours, fetching only footers and the row groups they lie in.
import { and, asc, eq, gt, gte, isNull, lt, lte } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { SUMMARY_COLUMNS, summaryAt } from "../core/archive/hourly-rows.ts";
import { datesOf, monthOf } from "../core/archive/key.ts";
import type { Rows } from "../core/archive/layout.ts";
import type { HourSummary } from "../core/window/pack-summary.ts";
import { archiveFile } from "../schemas/tables.ts";
import { inLanes } from "./lanes.ts";
import { openParquet, readRowGroups } from "./parquet.ts";

/** Files read at once: a Worker has six connections. */
const FILES_AT_ONCE = 4;

/** Which hours of a device's metric are asked for, `[startMs, endMs)`. */
export interface HourlyQuestion {
  tenant: string;
  device: string;
  metric: string;
  startMs: number;
  endMs: number;
}

/**
 * Reads the hours that begin in `[startMs, endMs)` from hourly files. Returns them ascending, and the bytes fetched;
 * of an hour written more than once the highest revision counts. `database` is the device's warm database.
 * @throws when D1 or R2 fail.
 */
export async function readHourly(
  database: D1Database,
  bucket: R2Bucket,
  asked: HourlyQuestion,
): Promise<{ hours: HourSummary[]; bytesRead: number }> {
  const newest = new Map<number, { revision: number; rows: Rows; row: number }>();
  let bytesRead = 0;
  const files = await selectHourlyFiles(database, {
    ...asked,
    minDevice: asked.device,
    maxDevice: asked.device,
  });
  await inLanes(files, FILES_AT_ONCE, async (file) => {
    const open = await openParquet(bucket, file.key, file.bytes);
    for (const rows of await readRowGroups(open, SUMMARY_COLUMNS, { filter: filterOf(asked) })) {
      for (const row of rowsOf(rows, asked)) {
        const [start, revision] = [rows.start![row] as number, rows.revision![row] as number];
        if ((newest.get(start)?.revision ?? 0) < revision) newest.set(start, { revision, rows, row });
      }
    }
    bytesRead += open.bytesRead();
  });
  const hours = [...newest]
    .sort(([a], [b]) => a - b)
    .map(([startMs, { rows, row }]) => ({ startMs, summary: summaryAt(rows, row) }));
  return { hours, bytesRead };
}

/** Devices, by their names in order, and hours `[startMs, endMs)`. */
interface HourlySpan {
  tenant: string;
  minDevice: string;
  maxDevice: string;
  startMs: number;
  endMs: number;
}

/** Returns the query of the hourly files that may hold hours of those devices, in the order of their dates. */
export function selectHourlyFiles(
  database: D1Database,
  { tenant, minDevice, maxDevice, startMs, endMs }: HourlySpan,
) {
  const [first, last] = datesOf(startMs, endMs);
  return drizzle(database)
    .select({ key: archiveFile.key, bytes: archiveFile.bytes })
    .from(archiveFile)
    .where(
      and(
        eq(archiveFile.tenant, tenant),
        eq(archiveFile.kind, "hourly"),
        isNull(archiveFile.replacedAt),
        gte(archiveFile.date, monthOf(first)),
        lte(archiveFile.date, last),
        lte(archiveFile.minDevice, maxDevice),
        gte(archiveFile.maxDevice, minDevice),
        lt(archiveFile.fromMs, endMs),
        gt(archiveFile.toMs, startMs),
      ),
    )
    .orderBy(asc(archiveFile.date), asc(archiveFile.key));
}

const filterOf = ({ device, metric, startMs, endMs }: HourlyQuestion) => ({
  device: { $eq: device },
  metric: { $eq: metric },
  start: { $gte: new Date(startMs), $lt: new Date(endMs) },
});

function* rowsOf(rows: Rows, { device, metric, startMs, endMs }: HourlyQuestion): Generator<number> {
  const start = rows.start as number[];
  for (let row = 0; row < start.length; row++) {
    const isAsked = rows.metric[row] === metric && rows.device[row] === device;
    if (isAsked && start[row]! >= startMs && start[row]! < endMs) yield row;
  }
}
