// Parquet files in R2 → raw readings of one metric, fetching only the row groups that can hold them.
import { and, asc, eq, gt, gte, isNull, lt, lte } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { parquetReadObjects } from "hyparquet";
import { datesOf } from "../../core/archive/key.ts";
import { FILES_PER_QUERY_MAX, READINGS_PER_QUERY_MAX } from "../../schemas/limits.ts";
import { archiveFile } from "../../schemas/tables.ts";
import { DECOMPRESSORS, openParquet } from "../parquet.ts";
import { Problem } from "../problem.ts";

/** Files read at once: a Worker has six connections. */
const FILES_AT_ONCE = 4;

export interface ColdReadings {
  at: number[];
  value: number[];
  bytesRead: number;
}

interface Asked {
  tenant: string;
  device: string;
  metric: string;
  startMs: number;
  endMs: number;
}

interface Row {
  at: Date;
  value: number;
  revision: number;
}

/** Readings in `[startMs, endMs)`, ascending; of a reading stored at several revisions the highest wins. */
export async function readCold(database: D1Database, bucket: R2Bucket, asked: Asked): Promise<ColdReadings> {
  const [firstDate, lastDate] = datesOf(asked.startMs, asked.endMs);
  const files = await drizzle(database)
    .select({ key: archiveFile.key, bytes: archiveFile.bytes })
    .from(archiveFile)
    .where(
      and(
        eq(archiveFile.tenant, asked.tenant),
        eq(archiveFile.kind, "raw"),
        isNull(archiveFile.replacedAt),
        gte(archiveFile.date, firstDate),
        lte(archiveFile.date, lastDate),
        lte(archiveFile.minDevice, asked.device),
        gte(archiveFile.maxDevice, asked.device),
        lt(archiveFile.fromMs, asked.endMs),
        gt(archiveFile.toMs, asked.startMs),
      ),
    )
    .orderBy(asc(archiveFile.date), asc(archiveFile.key));

  if (files.length > FILES_PER_QUERY_MAX) {
    const detail = `the range touches ${files.length} archive files; a question may touch ${FILES_PER_QUERY_MAX}`;
    throw new Problem("invalid_query", `${detail}: ask for a shorter range, or for resolution 1h or 1d`);
  }
  const newest = new Map<number, { value: number; revision: number }>();
  let bytesRead = 0;
  const waiting = [...files];
  const lane = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const { rows, bytes } = await readFile(bucket, file.key, file.bytes, asked);
      bytesRead += bytes;
      for (const { at, value, revision } of rows) {
        const instant = at.getTime();
        if (newest.size > READINGS_PER_QUERY_MAX) throw tooManyReadings();
        if ((newest.get(instant)?.revision ?? 0) < revision) newest.set(instant, { value, revision });
      }
    }
  };
  await Promise.all(Array.from({ length: FILES_AT_ONCE }, lane));
  const at = [...newest.keys()].sort((a, b) => a - b);
  return { at, value: at.map((instant) => newest.get(instant)!.value), bytesRead };
}

/** A question whose raw readings a Worker could not hold. */
export const tooManyReadings = () =>
  new Problem(
    "invalid_query",
    `the range holds more than ${READINGS_PER_QUERY_MAX} readings; ask for a shorter one, or for resolution 1h or 1d`,
  );

async function readFile(
  bucket: R2Bucket,
  key: string,
  byteLength: number,
  asked: Asked,
): Promise<{ rows: Row[]; bytes: number }> {
  const { file, metadata, bytesRead } = await openParquet(bucket, key, byteLength);
  const rows = (await parquetReadObjects({
    file,
    metadata,
    columns: ["device", "metric", "at", "value", "revision"],
    filter: {
      device: { $eq: asked.device },
      metric: { $eq: asked.metric },
      at: { $gte: new Date(asked.startMs), $lt: new Date(asked.endMs) },
    },
    compressors: DECOMPRESSORS,
  })) as unknown as Row[];
  return { rows, bytes: bytesRead() };
}
