// Objects of the archive that no manifest names → those with rows of a deleted device go, for they are its data too.
import { parseKey } from "../../../../core/archive/key.ts";
import { wallMs } from "../../../clock.ts";
import { openParquet } from "../../../parquet.ts";
import { warmsOf } from "../../../warm.ts";
import type { AggregateEnv } from "../../env.ts";
import { isIn } from "./delete-files.ts";

/** What puts a file has named it by then, or never will: a consumer or a cron runs 15 min at most (Workers limits, 2026-11). */
const SETTLED_MS = 15 * 60_000;

/** PERSISTED in the cursor of a deletion: which page of the archive's objects is next. */
export interface OrphanPlace {
  kind: "raw" | "hourly";
  /** R2's own cursor; absent: from the first. */
  page?: string;
}

/**
 * Deletes the files of one page of a tenant's objects that no manifest names and that have rows of the device.
 * Returns how many, and where to go on: null after the last page, "wait" when one is so young that it may yet be
 * named.
 * @throws when D1 or R2 fail.
 */
export async function eraseOrphans(
  env: AggregateEnv,
  tenant: string,
  device: string,
  { kind, page }: OrphanPlace,
): Promise<{ next: OrphanPlace | null | "wait"; orphans: number }> {
  const listed = await env.COLD.list({ prefix: `${kind}/tenant=${tenant}/`, cursor: page });
  const named = await namedOf(
    env,
    tenant,
    listed.objects.map(({ key }) => key),
  );
  let orphans = 0;
  for (const { key, size, uploaded } of listed.objects) {
    if (named.has(key) || !(await isIn(await openParquet(env.COLD, key, size), device))) continue;
    if (wallMs() - uploaded.getTime() < SETTLED_MS) return { next: "wait", orphans };
    await env.COLD.delete(key);
    orphans += 1;
  }
  if (listed.truncated) return { next: { kind, page: listed.cursor }, orphans };
  return { next: kind === "raw" ? { kind: "hourly" } : null, orphans };
}

/** The keys of live files: a replaced one that had the device was listed and is gone, unless it was found by a sweep since. */
async function namedOf(env: AggregateEnv, tenant: string, keys: readonly string[]): Promise<Set<string>> {
  const asked = JSON.stringify(keys.map((key) => [parseKey(key)?.date ?? "", key]));
  const found = await Promise.all(
    warmsOf(env).map((database) => database.prepare(SELECT_NAMED).bind(tenant, asked).all<{ key: string }>()),
  );
  return new Set(found.flatMap(({ results }) => results.map(({ key }) => key)));
}

const SELECT_NAMED = `
  SELECT file.key FROM json_each(?2) AS asked CROSS JOIN archive_file AS file
  ON file.tenant = ?1 AND file.date = asked.value ->> 0 AND file.key = asked.value ->> 1
  WHERE file.replaced_at IS NULL`;
