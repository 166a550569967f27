// Files whose contents another file took over, or nobody is to keep → gone from R2, and then from the manifest.
import { wallMs } from "../../clock.ts";
import { giveWay } from "../../give-way.ts";
import { warmsOf } from "../../warm.ts";
import { withDeadline } from "../../with-deadline.ts";
import { graceMsOf } from "../env.ts";
import type { Turn } from "./chores.ts";

const STORAGE_ANSWERS_MS = 60_000;
/** R2 deletes a thousand at once (R2 limits, 2026-11). */
const FILES_AT_ONCE = 500;

interface Replaced {
  tenant: string;
  date: string;
  key: string;
}

/**
 * Deletes files that were replaced longer ago than the grace period: whoever planned with one has read it by then. An
 * orphan has rows in every database, and all of them stand until the file is gone: nobody names it meanwhile. A file
 * that some database has live loses only its rows elsewhere. Returns "" when no more are left.
 * @throws when D1 or R2 fail or do not answer.
 */
export async function deleteReplaced({ env, untilMs }: Turn): Promise<string> {
  const beforeMs = wallMs() - graceMsOf(env);
  const databases = warmsOf(env);
  for (const database of databases) {
    for (;;) {
      if (wallMs() >= untilMs) return "more";
      await giveWay();
      const select = database.prepare(SELECT_REPLACED).bind(beforeMs, FILES_AT_ONCE).all<Replaced>();
      const { results: files } = await withDeadline(STORAGE_ANSWERS_MS, "D1", select);
      if (files.length === 0) break;
      const rows = JSON.stringify(files.map(({ tenant, date, key }) => [tenant, date, key]));
      const inAll = <Row>(sql: string) =>
        Promise.all(
          databases.map((each) =>
            withDeadline(STORAGE_ANSWERS_MS, "D1", each.prepare(sql).bind(rows).all<Row>()),
          ),
        );
      const found = await inAll<{ key: string }>(SELECT_LIVE);
      const live = new Set(found.flatMap(({ results }) => results.map(({ key }) => key)));
      const gone = files.flatMap(({ key }) => (live.has(key) ? [] : [key]));
      if (gone.length > 0) await withDeadline(STORAGE_ANSWERS_MS, "R2", env.COLD.delete(gone));
      await inAll(DELETE_ROWS);
    }
  }
  return "";
}

/**
 * While a device is being deleted, the rows of its tenant's files say where their contents went: eraseFile follows them.
 * An orphan's row (no rows in it, as sweepOrphans knows) says nothing, and keeps a deletion from naming that file itself.
 */
const SELECT_REPLACED = `
  SELECT tenant, date, key FROM archive_file AS file
  WHERE replaced_at < ?1 AND (
    row_count = 0
    OR NOT EXISTS (SELECT 1 FROM tombstone WHERE tombstone.tenant = file.tenant AND finished_at IS NULL)
  ) LIMIT ?2`;
const SELECT_LIVE = `
  SELECT file.key FROM json_each(?1) AS named CROSS JOIN archive_file AS file
  ON file.tenant = named.value ->> 0 AND file.date = named.value ->> 1 AND file.key = named.value ->> 2
  WHERE file.replaced_at IS NULL`;
const DELETE_ROWS = `
  DELETE FROM archive_file WHERE (tenant, date, key) IN (
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)
  ) AND replaced_at IS NOT NULL`;
