// Files of the archive that no manifest names → marked as replaced, so that they are deleted like any other.
import { parseKey } from "../../../core/archive/key.ts";
import { DAY_MS } from "../../../core/time.ts";
import { EXPORT_KEPT_MS } from "../../../schemas/limits.ts";
import { wallMs } from "../../clock.ts";
import { exportsFolder } from "../../exports.ts";
import { giveWay } from "../../give-way.ts";
import { instantOfId } from "../../sorted-id.ts";
import { warmsOf } from "../../warm.ts";
import { withDeadline } from "../../with-deadline.ts";
import type { AggregateEnv } from "../env.ts";
import type { Turn } from "./chores.ts";

const STORAGE_ANSWERS_MS = 60_000;
const EXPORTS = exportsFolder();
const PREFIXES = ["raw/", "hourly/", EXPORTS];

/** Where a turn stopped: the prefix's number and R2's cursor in it. */
interface PrefixCursor {
  prefix: number;
  cursor?: string | undefined;
}

/**
 * Marks files of the archive that no manifest names, and that are older than a day, as replaced, in one pass over the
 * bucket: nobody will still commit them. Deletes what exports are past their age. Returns the cursor; "" at the end. Parts of
 * an upload that was never completed R2 deletes by itself after seven days.
 * @throws when D1 or R2 fail or do not answer.
 */
export async function sweepOrphans({ env, cursor, untilMs }: Turn): Promise<string> {
  let place: PrefixCursor = cursor === "" ? { prefix: 0 } : JSON.parse(cursor);
  while (place.prefix < PREFIXES.length) {
    if (wallMs() >= untilMs) return JSON.stringify(place);
    await giveWay();
    const page = env.COLD.list({ prefix: PREFIXES[place.prefix]!, cursor: place.cursor });
    const listed = await withDeadline(STORAGE_ANSWERS_MS, "R2", page);
    if (PREFIXES[place.prefix] === EXPORTS) await deleteExpired(env, listed.objects);
    else {
      const old = listed.objects.filter(({ uploaded }) => uploaded.getTime() < wallMs() - DAY_MS);
      await adopt(
        env,
        old.map(({ key, size }) => ({ key, size })),
      );
    }
    place = listed.truncated ? { prefix: place.prefix, cursor: listed.cursor } : { prefix: place.prefix + 1 };
  }
  return "";
}

/** Files of exports that were asked for longer ago than they are kept. */
async function deleteExpired({ COLD }: AggregateEnv, files: readonly { key: string }[]): Promise<void> {
  const keys = files
    .map(({ key }) => key)
    .filter((key) => instantOfId(key.split("/")[2] ?? "") <= wallMs() - EXPORT_KEPT_MS);
  if (keys.length > 0) await withDeadline(STORAGE_ANSWERS_MS, "R2", COLD.delete(keys));
}

/**
 * Writes a row that says replaced, in every database, for each of the files that no manifest names: whoever commits
 * the same key after that fails, and tries again when the file is gone. Who was faster than the row keeps the file:
 * its rows elsewhere are taken back.
 */
async function adopt(env: AggregateEnv, files: readonly { key: string; size: number }[]): Promise<void> {
  const named = files.flatMap((file) => {
    const parsed = parseKey(file.key);
    return parsed === undefined ? [] : [{ ...file, ...parsed }];
  });
  const known = await keysIn(env, SELECT_ANY, named);
  const orphans = named.filter(({ key }) => !known.has(key));
  if (orphans.length === 0) return;
  await inAll(env, INSERT_REPLACED, orphans, wallMs());
  const live = await keysIn(env, SELECT_LIVE, orphans);
  const kept = orphans.filter(({ key }) => live.has(key));
  if (kept.length > 0) await inAll(env, DELETE_ADOPTED, kept);
  console.warn("files that no manifest names; they are deleted after the grace period", {
    files: orphans.length - kept.length,
    first: orphans[0]!.key,
  });
}

interface Named {
  tenant: string;
  date: string;
  key: string;
  kind: string;
  size: number;
}

const textOf = (files: readonly Named[]) =>
  JSON.stringify(files.map(({ tenant, date, key, kind, size }) => [tenant, date, key, kind, size]));

/** The keys of those files that the statement finds in some warm database. */
async function keysIn(env: AggregateEnv, sql: string, files: readonly Named[]): Promise<Set<string>> {
  const found = await Promise.all(
    warmsOf(env).map((database) =>
      withDeadline(
        STORAGE_ANSWERS_MS,
        "D1",
        database.prepare(sql).bind(textOf(files)).all<{ key: string }>(),
      ),
    ),
  );
  return new Set(found.flatMap(({ results }) => results.map(({ key }) => key)));
}

async function inAll(
  env: AggregateEnv,
  sql: string,
  files: readonly Named[],
  ...bound: number[]
): Promise<void> {
  await Promise.all(
    warmsOf(env).map((database) =>
      withDeadline(
        STORAGE_ANSWERS_MS,
        "D1",
        database
          .prepare(sql)
          .bind(textOf(files), ...bound)
          .run(),
      ),
    ),
  );
}

const SELECT_ANY = `
  SELECT file.key FROM json_each(?1) AS named CROSS JOIN archive_file AS file
  ON file.tenant = named.value ->> 0 AND file.date = named.value ->> 1 AND file.key = named.value ->> 2`;
/** No device is between these names: no reader takes such a row for a file. */
const INSERT_REPLACED = `
  INSERT INTO archive_file (tenant, date, key, kind, blocks, from_ms, to_ms, min_device, max_device, row_count, bytes,
    created_at, replaced_at)
  SELECT named.value ->> 0, named.value ->> 1, named.value ->> 2, named.value ->> 3, '[]', 0, 0, '', '', 0,
    named.value ->> 4, ?2, ?2
  FROM json_each(?1) AS named WHERE true ON CONFLICT (tenant, date, key) DO NOTHING`;
const SELECT_LIVE = `${SELECT_ANY} WHERE file.replaced_at IS NULL`;
const DELETE_ADOPTED = `
  DELETE FROM archive_file WHERE (tenant, date, key) IN (
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)
  ) AND replaced_at IS NOT NULL AND row_count = 0`;
