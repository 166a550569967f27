// A file that may hold a deleted device → a file without it; what it was before goes at once, grace or not.
//
// Its row stays until no device of the tenant is being deleted: from row to row, other deletions find what took its place.
import { archiveKey } from "../../../../core/archive/key.ts";
import { type OpenParquet, openParquet, readRowGroups } from "../../../parquet.ts";
import { rewriteWithout } from "../../archive/merge-files.ts";
import { devicesOfGroup, shortHash } from "../../archive/write-archive.ts";

/** PERSISTED in the list of a deletion. */
export interface ListedFile {
  date: string;
  key: string;
}

/** Whose rows are to go, and from where. */
export interface Erasing {
  database: D1Database;
  bucket: R2Bucket;
  tenant: string;
  device: string;
  /** When the deletion was asked for. */
  since: number;
}

interface ManifestRow {
  kind: "raw" | "hourly";
  bytes: number;
  replacedAt: number | null;
}

/**
 * Takes a device's rows out of a file that was in the archive when its life ended, or out of the files that other
 * deletions have put in its place since. Returns how many `files` and `rows` that were; repeated, it changes nothing.
 * @throws when D1 or R2 fail.
 */
export async function eraseFile(erasing: Erasing, file: ListedFile): Promise<Record<string, number>> {
  const { database, bucket, tenant, device } = erasing;
  const rows = await rewriteWithout(database, bucket, { tenant, ...file }, device);
  if (rows === 0) return {};
  const row = await database
    .prepare(
      "SELECT kind, bytes, replaced_at AS replacedAt FROM archive_file WHERE tenant = ?1 AND date = ?2 AND key = ?3",
    )
    .bind(tenant, file.date, file.key)
    .first<ManifestRow>();
  if (
    row?.replacedAt != null &&
    (rows !== undefined || (await hasDevice(bucket, file.key, row.bytes, device)))
  )
    await bucket.delete(file.key);
  if (rows !== undefined) return { files: 1, rows };
  const counts: Record<string, number> = {};
  for (const heir of await heirsOf(erasing, file)) {
    for (const [name, count] of Object.entries(await eraseFile(erasing, heir)))
      counts[name] = (counts[name] ?? 0) + count;
  }
  return counts;
}

/** Files that other deletions have put in the place of this one: their keys follow from its key and the device deleted. */
async function heirsOf(
  { database, tenant, device, since }: Erasing,
  file: ListedFile,
): Promise<ListedFile[]> {
  const { results: others } = await database
    .prepare(
      "SELECT device FROM tombstone WHERE tenant = ?1 AND device <> ?2 AND coalesce(finished_at, ?3) >= ?3",
    )
    .bind(tenant, device, since)
    .all<{ device: string }>();
  const kind = file.key.startsWith("hourly/") ? "hourly" : "raw";
  const keys = await Promise.all(
    others.map(async (other) =>
      archiveKey(kind, tenant, file.date, await shortHash(JSON.stringify([file.key, other.device]))),
    ),
  );
  const { results } = await database
    .prepare(
      `SELECT file.date, file.key FROM json_each(?3) AS heir
       CROSS JOIN archive_file AS file ON file.tenant = ?1 AND file.date = ?2 AND file.key = heir.value`,
    )
    .bind(tenant, file.date, JSON.stringify(keys))
    .all<ListedFile>();
  return results;
}

/** Whether a file, or what is left of it, has rows of the device; one that is gone counts as having some. */
async function hasDevice(bucket: R2Bucket, key: string, bytes: number, device: string): Promise<boolean> {
  if ((await bucket.head(key)) === null) return true;
  return await isIn(await openParquet(bucket, key, bytes), device);
}

/** Whether a file has rows of the device; reads only row groups that may. @throws when R2 fails. */
export async function isIn(file: OpenParquet, device: string): Promise<boolean> {
  for (const [group, statistics] of file.metadata.row_groups.entries()) {
    const [first, last] = devicesOfGroup(statistics);
    if (device < first || device > last) continue;
    const [rows] = await readRowGroups(file, ["device"], { group });
    if (rows!.device.includes(device)) return true;
  }
  return false;
}
