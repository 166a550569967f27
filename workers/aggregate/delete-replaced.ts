// Files whose contents another file took over, or nobody is to keep → gone from R2, and then from the manifest.
import { wallMs } from "../clock.ts";
import { warmsOf } from "../warm.ts";
import { within } from "../within.ts";
import type { Turn } from "./chores.ts";
import { graceMsOf } from "./env.ts";

const STORAGE_ANSWERS_MS = 60_000;
/** R2 deletes a thousand at once (R2 limits, 2026-11). */
const FILES_AT_ONCE = 500;

interface Replaced {
  tenant: string;
  date: string;
  key: string;
}

/**
 * Deletes what was replaced longer ago than the grace period: whoever planned with it has read it by then. An orphan has
 * rows in every database, and all of them stand until the file is gone: nobody puts it anew meanwhile.
 */
export async function deleteReplaced({ env, untilMs }: Turn): Promise<string> {
  const beforeMs = wallMs() - graceMsOf(env);
  const databases = warmsOf(env);
  for (const database of databases) {
    for (;;) {
      if (wallMs() >= untilMs) return "more";
      const select = database.prepare(SELECT_REPLACED).bind(beforeMs, FILES_AT_ONCE).all<Replaced>();
      const { results: files } = await within(STORAGE_ANSWERS_MS, "D1", select);
      if (files.length === 0) break;
      await within(STORAGE_ANSWERS_MS, "R2", env.COLD.delete(files.map(({ key }) => key)));
      const rows = JSON.stringify(files.map(({ tenant, date, key }) => [tenant, date, key]));
      await Promise.all(
        databases.map((each) => within(STORAGE_ANSWERS_MS, "D1", each.prepare(DELETE_ROWS).bind(rows).run())),
      );
    }
  }
  return "";
}

const SELECT_REPLACED = "SELECT tenant, date, key FROM archive_file WHERE replaced_at < ?1 LIMIT ?2";
const DELETE_ROWS = `
  DELETE FROM archive_file WHERE (tenant, date, key) IN (
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)
  ) AND replaced_at IS NOT NULL`;
