// Partitions with many small files → the same rows in few large ones.
import { partitionEndMs } from "../../../core/archive/key.ts";
import { layoutOf } from "../../../core/archive/layout.ts";
import { FULL_BYTES, planCompaction } from "../../../core/archive/plan-compaction.ts";
import { BUCKET_MS_MAX } from "../../../core/window/align.ts";
import { wallMs } from "../../clock.ts";
import { giveWay } from "../../give-way.ts";
import { warmsOf } from "../../warm.ts";
import { withDeadline } from "../../with-deadline.ts";
import { type ArchivedFile, FILE_COLUMNS, mergeFiles } from "../archive/merge-files.ts";
import type { Turn } from "./chores.ts";

const D1_ANSWERS_MS = 60_000;

/** After its end a partition still gets what its last blocks held: they are sealed within three hours of theirs. */
const SETTLED_AFTER_MS = BUCKET_MS_MAX + 3_600_000;

/** Where a turn stopped: the warm database's number and the partition last seen to. */
interface PartitionCursor {
  number: number;
  tenant: string;
  date: string;
}

/**
 * Merges the small files of each partition, in one pass over the warm databases. Returns the cursor; "" at the end. A
 * partition that fails is logged, and the next pass tries it again.
 */
export async function compactFiles({ env, cursor, untilMs }: Turn): Promise<string> {
  let place: PartitionCursor = cursor === "" ? { number: 0, tenant: "", date: "" } : JSON.parse(cursor);
  const databases = warmsOf(env);
  while (place.number < databases.length) {
    const database = databases[place.number]!;
    const partition = await nextPartition(database, place);
    if (partition === null) {
      place = { number: place.number + 1, tenant: "", date: "" };
      continue;
    }
    try {
      if (!(await compactPartition(database, env.COLD, partition, untilMs))) return JSON.stringify(place);
    } catch (error) {
      console.error("files not merged; the next pass tries again", { ...partition, error: String(error) });
    }
    place = { ...partition, number: place.number };
  }
  return "";
}

type Partition = Omit<PartitionCursor, "number">;

/** False when the turn ended before it was done. @throws when R2 or D1 fail, or a file cannot be read. */
async function compactPartition(
  database: D1Database,
  bucket: R2Bucket,
  partition: Partition,
  untilMs: number,
): Promise<boolean> {
  for (const kind of ["raw", "hourly"] as const) {
    const isSettled = partitionEndMs(kind, partition.date) + SETTLED_AFTER_MS <= wallMs();
    for (;;) {
      const live = (await liveFiles(database, partition)).filter((file) => file.kind === kind);
      const planned = planCompaction(layoutOf(kind), live, isSettled);
      if (planned.length === 0) break;
      if (wallMs() >= untilMs) return false;
      await giveWay();
      if (!(await mergeFiles(database, bucket, planned))) break; // something changed: the next pass looks again
    }
  }
  return true;
}

const nextPartition = (database: D1Database, { tenant, date }: Partition): Promise<Partition | null> =>
  withDeadline(
    D1_ANSWERS_MS,
    "D1",
    database.prepare(NEXT_PARTITION).bind(tenant, date, FULL_BYTES).first<Partition>(),
  );

/** Not while a device of the tenant is being deleted: no merge would be committed. */
const NEXT_PARTITION = `
  SELECT tenant, date FROM archive_file AS file
  WHERE (tenant, date) > (?1, ?2) AND replaced_at IS NULL AND bytes < ?3
    AND NOT EXISTS (SELECT 1 FROM tombstone WHERE tenant = file.tenant AND finished_at IS NULL)
  GROUP BY tenant, date HAVING count(*) >= 2 ORDER BY tenant, date LIMIT 1`;

const liveFiles = (database: D1Database, { tenant, date }: Partition): Promise<ArchivedFile[]> =>
  withDeadline(
    D1_ANSWERS_MS,
    "D1",
    database
      .prepare(
        `SELECT ${FILE_COLUMNS} FROM archive_file WHERE tenant = ? AND date = ? AND replaced_at IS NULL`,
      )
      .bind(tenant, date)
      .all<ArchivedFile>(),
  ).then(({ results }) => results);
