// Files of the archive that no manifest names → marked as replaced, so that they are deleted like any other.
import { parseKey } from "../../core/archive/key.ts";
import { wallMs } from "../clock.ts";
import { warmsOf } from "../warm.ts";
import { within } from "../within.ts";
import type { Turn } from "./chores.ts";
import type { AggregateEnv } from "./env.ts";

const DAY_MS = 86_400_000;
const STORAGE_ANSWERS_MS = 60_000;
const PREFIXES = ["raw/", "hourly/"];

/** Where a turn stopped: the prefix's number and R2's cursor in it. */
interface Place {
  prefix: number;
  cursor?: string | undefined;
}

/**
 * One pass over the bucket. A file that was put and not committed is younger than a day as long as somebody may still
 * commit it; parts of an upload that was never completed R2 forgets by itself after seven days.
 */
export async function sweepOrphans({ env, cursor, untilMs }: Turn): Promise<string> {
  let place: Place = cursor === "" ? { prefix: 0 } : JSON.parse(cursor);
  while (place.prefix < PREFIXES.length) {
    if (wallMs() >= untilMs) return JSON.stringify(place);
    const page = env.COLD.list({ prefix: PREFIXES[place.prefix]!, cursor: place.cursor });
    const listed = await within(STORAGE_ANSWERS_MS, "R2", page);
    const old = listed.objects.filter(({ uploaded }) => uploaded.getTime() < wallMs() - DAY_MS);
    await adopt(
      env,
      old.map(({ key, size }) => ({ key, size })),
    );
    place = listed.truncated ? { prefix: place.prefix, cursor: listed.cursor } : { prefix: place.prefix + 1 };
  }
  return "";
}

/**
 * Gives those of the files that no manifest has a row that says replaced, in every database: whoever wants to commit the
 * same key now fails, and tries again when the file is gone. Who was faster than the row keeps the file: its rows
 * elsewhere are taken back.
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
      within(STORAGE_ANSWERS_MS, "D1", database.prepare(sql).bind(textOf(files)).all<{ key: string }>()),
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
      within(
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
