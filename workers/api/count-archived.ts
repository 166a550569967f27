// The archive's hourly files → how many readings of how many metrics each device has by hour or day.
import { alignDown } from "../../core/window/align.ts";
import type { ActivityAnswer } from "../../schemas/query.ts";
import { inLanes } from "../lanes.ts";
import { extremesOf, mayHold, openParquet, readRowGroups } from "../parquet.ts";
import { Problem } from "../problem.ts";
import { selectHourlyFiles } from "../read-hourly.ts";
import { fromStorage } from "./storage.ts";

/** A device's readings in a bucket. */
export type Bucket = ActivityAnswer["devices"][number]["buckets"][number];

/** Files a question looks into: most months have a handful, once they are merged. */
const FILES_MAX = 200;
/** Files read at once: a Worker has six connections. */
const FILES_AT_ONCE = 4;
/** Rows decoded for a page: what is counted of them takes some 20 MB of a Worker's 128. */
export const ARCHIVED_ROWS_MAX = 200_000;

/** Hours that have left a warm database, of some of its devices, which are ascending. */
export interface ArchivedQuestion {
  tenant: string;
  devices: readonly string[];
  fromMs: number;
  toMs: number;
}

/** A row group that may have what is asked for, and the devices of the question that it may be of. */
export interface Group {
  key: string;
  bytes: number;
  number: number;
  rows: number;
  devices: readonly string[];
}

/**
 * Looks into the footers of the files for what is asked. Returns the row groups that may have it. Fetches the footers only,
 * of 200 files at most.
 * @throws Problem `invalid_query` (more files), `unavailable`.
 */
export async function findArchived(
  database: D1Database,
  bucket: R2Bucket,
  asked: ArchivedQuestion,
): Promise<Group[]> {
  const { tenant, devices, fromMs, toMs } = asked;
  const span = { tenant, minDevice: devices[0]!, maxDevice: devices.at(-1)!, startMs: fromMs, endMs: toMs };
  const files = await fromStorage("D1", selectHourlyFiles(database, span).limit(FILES_MAX + 1));
  if (files.length > FILES_MAX) {
    throw new Problem(
      "invalid_query",
      `these days lie in more than ${FILES_MAX} files of the archive, which are not merged yet; ask for a shorter range`,
    );
  }
  const groups: Group[] = [];
  await inLanes(files, FILES_AT_ONCE, async ({ key, bytes }) => {
    const { metadata } = await fromStorage("R2", openParquet(bucket, key, bytes));
    for (const [number, group] of metadata.row_groups.entries()) {
      if (!mayHold(group, "start", new Date(fromMs), new Date(toMs - 1))) continue;
      const own = within(devices, extremesOf(group, "device"));
      if (own.length > 0) groups.push({ key, bytes, number, rows: Number(group.num_rows), devices: own });
    }
  });
  return groups;
}

/** The devices, which are ascending, between two of them; either undefined: without an end there. */
function within(devices: readonly string[], { min, max }: ReturnType<typeof extremesOf>): readonly string[] {
  const [from, beyond] = [
    devices.findIndex((device) => min === undefined || device >= min),
    max === undefined ? -1 : devices.findIndex((device) => device > max),
  ];
  return from < 0 ? [] : devices.slice(from, beyond < 0 ? devices.length : beyond);
}

/**
 * Returns how many rows have to be read for each device alone, and how many more for each than for those before it; of a
 * device that alone is too much, none is read.
 */
export function rowsByDevice(groups: readonly Group[]): {
  alone: Map<string, number>;
  more: Map<string, number>;
} {
  const alone = new Map<string, number>();
  const more = new Map<string, number>();
  const add = (to: Map<string, number>, device: string, rows: number) =>
    to.set(device, (to.get(device) ?? 0) + rows);
  for (const { devices, rows } of groups) for (const device of devices) add(alone, device, rows);
  for (const { devices, rows } of groups) {
    const first = devices.find((device) => alone.get(device)! <= ARCHIVED_ROWS_MAX);
    if (first !== undefined) add(more, first, rows);
  }
  return { alone, more };
}

/**
 * Counts what the row groups have of the devices of the question, by bucket, ascending. Of an hour that was written more
 * than once the highest revision counts.
 * @throws Problem `unavailable`.
 */
export async function countArchived(
  bucket: R2Bucket,
  groups: readonly Group[],
  { devices, fromMs, toMs }: ArchivedQuestion,
  bucketMs: number,
): Promise<Map<string, Bucket[]>> {
  const newest = new Map(devices.map((device) => [device, new Map<string, Hour>()]));
  const wanted = groups.filter((group) => group.devices.some((device) => newest.has(device)));
  const byFile = [...Map.groupBy(wanted, ({ key }) => key).values()];
  await inLanes(byFile, FILES_AT_ONCE, async (own) => {
    const open = await fromStorage("R2", openParquet(bucket, own[0]!.key, own[0]!.bytes));
    for (const { number } of own) {
      for (const rows of await fromStorage("R2", readRowGroups(open, COLUMNS, { group: number }))) {
        const [start, revision, count] = [rows.start, rows.revision, rows.count] as Float64Array[];
        for (let row = 0; row < start!.length; row++) {
          const hours = newest.get(rows.device[row]!);
          const startMs = start![row]!;
          if (hours === undefined || startMs < fromMs || startMs >= toMs) continue;
          const metric = rows.metric[row]!;
          const key = `${startMs} ${metric}`;
          if ((hours.get(key)?.revision ?? 0) < revision![row]!)
            hours.set(key, { startMs, metric, revision: revision![row]!, count: count![row]! });
        }
      }
    }
  });
  return new Map([...newest].map(([device, hours]) => [device, bucketsOf(hours.values(), bucketMs)]));
}

const COLUMNS = ["device", "metric", "start", "revision", "count"];

interface Hour {
  startMs: number;
  metric: string;
  revision: number;
  count: number;
}

function bucketsOf(hours: Iterable<Hour>, bucketMs: number): Bucket[] {
  const byBucket = Map.groupBy(hours, ({ startMs }) => alignDown(startMs, bucketMs));
  return [...byBucket]
    .sort(([a], [b]) => a - b)
    .map(([startMs, own]) => ({
      startMs,
      readings: own.reduce((sum, { count }) => sum + count, 0),
      metrics: new Set(own.map(({ metric }) => metric)).size,
    }));
}
