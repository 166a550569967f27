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
import type { AggregateEnv } from "../env.ts";
import type { Turn } from "./chores.ts";
import { firstTenant, goRound } from "./go-round.ts";

const D1_ANSWERS_MS = 60_000;

/** After its end a partition still gets what its last blocks held: they are sealed within three hours of theirs. */
const SETTLED_AFTER_MS = BUCKET_MS_MAX + 3_600_000;

/** PERSISTED in the chore's cursor: the warm database's number and the date of the partition last seen to. */
interface PartitionPlace {
  number: number;
  date: string;
}

const SHARE_MS = 60_000;

/** Merges the small files of each partition, of one tenant after another. Returns the cursor; "" when all are seen to. */
export const compactFiles = (turn: Turn): Promise<string> =>
  goRound<PartitionPlace>(turn, {
    name: "compact-files",
    shareMs: SHARE_MS,
    next: (after) => firstTenant(warmsOf(turn.env), NEXT_TENANT, after, FULL_BYTES),
    advance: (tenant, place, untilMs) => compactTenant(turn.env, tenant, place, untilMs),
  });

/** Merges a tenant's files. A partition that fails is logged, and the next pass tries it again. */
async function compactTenant(
  env: AggregateEnv,
  tenant: string,
  from: PartitionPlace = { number: 0, date: "" },
  untilMs: number,
): Promise<PartitionPlace | undefined> {
  let place = from;
  const databases = warmsOf(env);
  while (place.number < databases.length) {
    const { number } = place;
    const database = databases[number]!;
    const date = await nextPartition(database, tenant, place.date);
    if (date === null) {
      place = { number: number + 1, date: "" };
      continue;
    }
    try {
      if (!(await compactPartition(database, env.COLD, { tenant, date }, untilMs))) return place;
    } catch (error) {
      console.error("files not merged; the next pass tries again", { tenant, date, error: String(error) });
    }
    place = { number, date };
  }
  return undefined;
}

interface Partition {
  tenant: string;
  date: string;
}

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

const nextPartition = (database: D1Database, tenant: string, after: string): Promise<string | null> =>
  withDeadline(
    D1_ANSWERS_MS,
    "D1",
    database.prepare(NEXT_PARTITION).bind(tenant, after, FULL_BYTES).first<string>("date"),
  );

const SMALL_FILES = "archive_file AS file WHERE replaced_at IS NULL AND bytes <";
const NEXT_TENANT = `SELECT tenant FROM ${SMALL_FILES} ?2 AND tenant > ?1
  GROUP BY tenant, date HAVING count(*) >= 2 ORDER BY tenant LIMIT 1`;
/** Not while a device of the tenant is being deleted: no merge would be committed. */
const NEXT_PARTITION = `
  SELECT date FROM ${SMALL_FILES} ?3 AND tenant = ?1 AND date > ?2
    AND NOT EXISTS (SELECT 1 FROM tombstone WHERE tenant = ?1 AND finished_at IS NULL)
  GROUP BY date HAVING count(*) >= 2 ORDER BY date LIMIT 1`;

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
