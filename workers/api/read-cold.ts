// Parquet files in R2 → raw readings of one metric, fetching only the row groups that can hold them.
import { and, asc, eq, gt, gte, isNull, lt, lte, min } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { RowGroup } from "hyparquet";
import { datesOf } from "../../core/archive/key.ts";
import { FILES_PER_QUERY_MAX } from "../../schemas/limits.ts";
import { archiveFile } from "../../schemas/tables.ts";
import { inLanes } from "../lanes.ts";
import { mayHold, openParquet, readRowGroups } from "../parquet.ts";
import { fromStorage } from "./storage.ts";

/** Files read at once: a Worker has six connections. */
const FILES_AT_ONCE = 4;
/** Most readings of a slice: with their revisions they take some 100 bytes each while files are merged. */
const SLICE_READINGS_MAX = 200_000;

/** Readings of one metric from the archive. */
export interface ColdReadings {
  at: number[];
  value: number[];
  /** They are all there are before this instant: the end of the span, or over a gap the next file's start. */
  untilMs: number;
  bytesRead: number;
  files: number;
}

interface Asked {
  tenant: string;
  device: string;
  metric: string;
  startMs: number;
  endMs: number;
}

/** The range holds more than can be read at once: more than 200,000 readings, or 1,000 files. */
export class TooMuchError extends Error {
  override name = "TooMuchError";
}

/**
 * Reads the archive's readings in `[startMs, endMs)`, ascending; of a reading stored at several revisions the highest
 * wins. When there is no file, it looks on up to `limitMs` for the next.
 * @throws TooMuchError, Problem `unavailable`.
 */
export async function readCold(
  database: D1Database,
  bucket: R2Bucket,
  asked: Asked,
  limitMs = asked.endMs,
): Promise<ColdReadings> {
  const [firstDate, lastDate] = datesOf(asked.startMs, asked.endMs);
  const files = await fromStorage(
    "D1",
    drizzle(database)
      .select({ key: archiveFile.key, bytes: archiveFile.bytes })
      .from(archiveFile)
      .where(
        and(
          isOfAsked(asked, firstDate),
          lte(archiveFile.date, lastDate),
          lt(archiveFile.fromMs, asked.endMs),
        ),
      )
      .orderBy(asc(archiveFile.date), asc(archiveFile.key))
      .limit(FILES_PER_QUERY_MAX + 1),
  );
  if (files.length > FILES_PER_QUERY_MAX) throw new TooMuchError();
  if (files.length === 0 && asked.endMs < limitMs) {
    const [next] = await fromStorage(
      "D1",
      drizzle(database)
        .select({ fromMs: min(archiveFile.fromMs) })
        .from(archiveFile)
        .where(isOfAsked(asked, firstDate)),
    );
    const untilMs = Math.max(asked.endMs, Math.min(next?.fromMs ?? limitMs, limitMs));
    return { at: [], value: [], untilMs, bytesRead: 0, files: 0 };
  }

  const newest = new Map<number, { value: number; revision: number }>();
  let bytesRead = 0;
  const note = (at: number, value: number, revision: number) => {
    if ((newest.get(at)?.revision ?? 0) < revision) newest.set(at, { value, revision });
  };
  const isFull = () => newest.size > SLICE_READINGS_MAX;
  const read = async (file: (typeof files)[number]) => {
    const bytes = await readFile(bucket, file, asked, note, isFull);
    bytesRead += bytes;
  };
  await inLanes(files, FILES_AT_ONCE, read, isFull);
  if (isFull()) throw new TooMuchError();
  const at = [...newest.keys()].sort((a, b) => a - b);
  const value = at.map((instant) => newest.get(instant)!.value);
  return { at, value, untilMs: asked.endMs, bytesRead, files: files.length };
}

/** Files of the manifest that may hold readings of the device from `startMs` on; the date bounds the rows looked at. */
const isOfAsked = ({ tenant, device, startMs }: Asked, firstDate: string) =>
  and(
    eq(archiveFile.tenant, tenant),
    gte(archiveFile.date, firstDate),
    eq(archiveFile.kind, "raw"),
    isNull(archiveFile.replacedAt),
    lte(archiveFile.minDevice, device),
    gte(archiveFile.maxDevice, device),
    gt(archiveFile.toMs, startMs),
  );

/** Notes the rows asked for, one row group after another until it is full. Returns the bytes fetched. */
async function readFile(
  bucket: R2Bucket,
  { key, bytes }: { key: string; bytes: number },
  asked: Asked,
  note: (at: number, value: number, revision: number) => void,
  isFull: () => boolean,
): Promise<number> {
  const open = await fromStorage("R2", openParquet(bucket, key, bytes));
  for (const [group, statistics] of open.metadata.row_groups.entries()) {
    if (isFull()) break;
    if (!mayMatch(statistics, asked)) continue;
    for (const rows of await fromStorage("R2", readRowGroups(open, COLUMNS, { group }))) {
      const [at, value, revision] = [rows.at, rows.value, rows.revision] as [number[], number[], number[]];
      for (let row = 0; row < at.length; row++) {
        const isAsked = rows.metric[row] === asked.metric && rows.device[row] === asked.device;
        if (isAsked && at[row]! >= asked.startMs && at[row]! < asked.endMs)
          note(at[row]!, value[row]!, revision[row]!);
      }
    }
  }
  return open.bytesRead();
}

const COLUMNS = ["device", "metric", "at", "value", "revision"];

/** Whether the row group can hold what is asked for, by its least and greatest values. */
const mayMatch = (group: RowGroup, { device, metric, startMs, endMs }: Asked): boolean =>
  mayHold(group, "device", device, device) &&
  mayHold(group, "metric", metric, metric) &&
  mayHold(group, "at", new Date(startMs), new Date(endMs - 1));
