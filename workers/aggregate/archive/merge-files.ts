// Files of the archive → one file in their place, swapped in the manifest in one transaction.
import type { RowGroup } from "hyparquet";
import { archiveKey } from "../../../core/archive/key.ts";
import { type Layout, layoutOf, type Rows, rowGroupRows } from "../../../core/archive/layout.ts";
import { mergeRows } from "../../../core/archive/merge-rows.ts";
import { HOUR_MS } from "../../../core/time.ts";
import { alignDown } from "../../../core/window/align.ts";
import { wallMs } from "../../clock.ts";
import { type OpenParquet, openParquet, readRowGroups } from "../../parquet.ts";
import { withDeadline } from "../../with-deadline.ts";
import { ArchiveUpload } from "./archive-upload.ts";
import { bytesOfGroup, devicesOfGroup, ownId, shortHash } from "./write-archive.ts";

const STORAGE_ANSWERS_MS = 60_000;
/** Row groups that are copied as they stand are fetched in runs of this length. */
const COPY_BYTES = 4 * 1024 * 1024;

/** A live file, as the manifest has it. */
export interface ArchivedFile {
  tenant: string;
  date: string;
  key: string;
  kind: Layout["kind"];
  fromMs: number;
  toMs: number;
  rows: number;
  bytes: number;
}

/** The columns of a manifest row that make an ArchivedFile. */
export const FILE_COLUMNS =
  "tenant, date, key, kind, from_ms AS fromMs, to_ms AS toMs, row_count AS rows, bytes";

/**
 * Merges live files of one partition into one. Returns false, and leaves the manifest as it was, when one of them was
 * replaced meanwhile, or a device of the tenant is being deleted.
 * @throws when R2 or D1 fail or do not answer.
 */
export async function mergeFiles(
  database: D1Database,
  bucket: R2Bucket,
  files: readonly ArchivedFile[],
): Promise<boolean> {
  const [{ tenant, date, kind }] = files as [ArchivedFile];
  const layout = layoutOf(kind);
  const rows = files.reduce((sum, file) => sum + file.rows, 0);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const upload = new ArchiveUpload(bucket, archiveKey(kind, tenant, date, ownId()), layout);
  // What was written so far says best how long the whole will be; before that, what was merged does.
  const groupRows = () =>
    upload.rows > 0
      ? rowGroupRows(layout, rows, (upload.bytes / upload.rows) * rows)
      : rowGroupRows(layout, rows, bytes);
  try {
    const sources = files.map((file) => rowsOf(bucket, file, layout));
    for await (const group of mergeRows(layout, sources, groupRows)) await upload.write(group);
    return await swap(database, files, upload, false);
  } catch (error) {
    await upload.abort();
    throw error;
  }
}

/**
 * Puts a file without a device's rows in the place of one that has them, also while devices are being deleted. Row
 * groups without the device are copied as they stand. Returns the number of rows that went: 0 leaves the file as it
 * is; undefined when the file is not, or no longer, in the archive: what took its place may have the device.
 * @throws when R2 or D1 fail or do not answer.
 */
export async function rewriteWithout(
  database: D1Database,
  bucket: R2Bucket,
  { tenant, date, key }: { tenant: string; date: string; key: string },
  device: string,
): Promise<number | undefined> {
  const found = database
    .prepare(
      `SELECT ${FILE_COLUMNS} FROM archive_file
       WHERE tenant = ? AND date = ? AND key = ? AND replaced_at IS NULL`,
    )
    .bind(tenant, date, key)
    .first<ArchivedFile>();
  const file = await withDeadline(STORAGE_ANSWERS_MS, "D1", found);
  if (file === null) return undefined;
  const layout = layoutOf(file.kind);
  const open = await withDeadline(STORAGE_ANSWERS_MS, "R2", openParquet(bucket, key, file.bytes));
  const touched = await groupsWith(open, device);
  if (touched.size === 0) return 0;

  const id = await shortHash(JSON.stringify([key, device]));
  const upload = new ArchiveUpload(bucket, archiveKey(file.kind, tenant, date, id), layout);
  try {
    const groups = open.metadata.row_groups;
    for (let group = 0; group < groups.length; ) {
      if (touched.has(group) || !isOfLayout(open, layout)) {
        const kept = without(await readGroup(open, group, layout), device);
        if (kept.device.length > 0) await upload.write(kept);
        group += 1;
      } else {
        const run = runOf(groups, group, touched);
        const [start, end] = [bytesOfGroup(run[0]!)[0], bytesOfGroup(run.at(-1)!)[1]];
        const bytes = await withDeadline(
          STORAGE_ANSWERS_MS,
          "R2",
          Promise.resolve(open.file.slice(start, end)),
        );
        await upload.copy(run, new Uint8Array(bytes), start);
        group += run.length;
      }
    }
    const swapped = await swap(database, [file], upload, true);
    return swapped ? file.rows - upload.rows : undefined;
  } catch (error) {
    await upload.abort();
    throw error;
  }
}

/** The row groups that have rows of the device, by their numbers. */
async function groupsWith(open: OpenParquet, device: string): Promise<Set<number>> {
  const touched = new Set<number>();
  for (const [group, statistics] of open.metadata.row_groups.entries()) {
    const [first, last] = devicesOfGroup(statistics);
    if (device < first || device > last) continue;
    const [rows] = await withDeadline(STORAGE_ANSWERS_MS, "R2", readRowGroups(open, ["device"], { group }));
    if (rows!.device.includes(device)) touched.add(group);
  }
  return touched;
}

/** Row groups from `group` on that are copied together; at least one. */
function runOf(groups: readonly RowGroup[], group: number, touched: ReadonlySet<number>): RowGroup[] {
  const [start] = bytesOfGroup(groups[group]!);
  let end = group + 1;
  while (end < groups.length && !touched.has(end) && bytesOfGroup(groups[end]!)[1] - start <= COPY_BYTES)
    end++;
  return groups.slice(group, end);
}

function without(rows: Rows, device: string): Rows {
  const kept = rows.device.flatMap((name, row) => (name === device ? [] : [row]));
  const columns = Object.entries(rows).map(([name, column]) => [name, kept.map((row) => column[row])]);
  return Object.fromEntries(columns) as Rows;
}

async function* rowsOf(bucket: R2Bucket, file: ArchivedFile, layout: Layout): AsyncGenerator<Rows> {
  const open = await withDeadline(STORAGE_ANSWERS_MS, "R2", openParquet(bucket, file.key, file.bytes));
  for (const group of open.metadata.row_groups.keys()) yield await readGroup(open, group, layout);
}

const isOfLayout = ({ metadata }: OpenParquet, { name }: Layout) =>
  metadata.key_value_metadata?.some(({ key, value }) => key === "telltale.layout" && value === name) ?? false;

/** A row group with all columns of the layout. Files of `raw/1` do not say a row's block, which then was its hour; those of `hourly/1` do not say what was thinned. */
async function readGroup(open: OpenParquet, group: number, layout: Layout): Promise<Rows> {
  const names = layout.columns.map(({ name }) => name);
  const [rows] = await withDeadline(STORAGE_ANSWERS_MS, "R2", readRowGroups(open, names, { group }));
  if (layout.kind === "hourly")
    return { ...rows!, thinned: rows!.thinned ?? new Array<null>(rows!.device.length).fill(null) };
  if (rows!.block_start !== undefined) return rows!;
  const start = Float64Array.from(rows!.at as number[], (at) => alignDown(at, HOUR_MS));
  return Object.assign(rows!, { block_start: start, block_end: start.map((at) => at + HOUR_MS) });
}

/** Finishes the upload and puts it in the manifest in the place of `inputs`, if all of these are still live. */
async function swap(
  database: D1Database,
  inputs: readonly ArchivedFile[],
  upload: ArchiveUpload,
  isDeletion: boolean,
): Promise<boolean> {
  const [{ tenant, date, kind }] = inputs as [ArchivedFile];
  const keys = JSON.stringify(inputs.map(({ key }) => key));
  const now = wallMs();
  if (upload.rows === 0) {
    const replaced = database.prepare(REPLACE).bind(tenant, date, keys, now).run();
    return (await withDeadline(STORAGE_ANSWERS_MS, "D1", replaced)).meta.changes > 0;
  }
  const { rows, bytes, minDevice, maxDevice } = await upload.finish();
  const fromMs = Math.min(...inputs.map((file) => file.fromMs));
  const toMs = Math.max(...inputs.map((file) => file.toMs));
  const insert = database
    .prepare(isDeletion ? INSERT : INSERT_UNLESS_DELETING)
    .bind(tenant, date, keys, upload.key, kind, fromMs, toMs, minDevice, maxDevice, rows, bytes, now);
  const replace = database.prepare(REPLACE_IF_INSERTED).bind(tenant, date, keys, now, upload.key);
  const [inserted] = await withDeadline(STORAGE_ANSWERS_MS, "D1", database.batch([insert, replace]));
  return inserted!.meta.changes > 0;
}

const INSERT = `
  INSERT INTO archive_file
    (tenant, date, key, kind, blocks, from_ms, to_ms, min_device, max_device, row_count, bytes, created_at)
  SELECT ?1, ?2, ?4, ?5, '[]', ?6, ?7, ?8, ?9, ?10, ?11, ?12
  WHERE json_array_length(?3) = (
    SELECT count(*) FROM json_each(?3) AS input
    CROSS JOIN archive_file AS file ON file.tenant = ?1 AND file.date = ?2 AND file.key = input.value
    WHERE file.replaced_at IS NULL
  )`;
const INSERT_UNLESS_DELETING = `${INSERT}
  AND NOT EXISTS (SELECT 1 FROM tombstone WHERE tenant = ?1 AND finished_at IS NULL)`;
const REPLACE = `
  UPDATE archive_file SET replaced_at = ?4
  WHERE tenant = ?1 AND date = ?2 AND key IN (SELECT value FROM json_each(?3)) AND replaced_at IS NULL`;
const REPLACE_IF_INSERTED = `${REPLACE}
  AND EXISTS (SELECT 1 FROM archive_file WHERE tenant = ?1 AND date = ?2 AND key = ?5)`;
