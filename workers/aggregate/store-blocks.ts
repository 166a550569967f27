// Decoded blocks of one tenant and day → one Parquet file, its manifest row and their rollups, in one transaction.
import { dateOf, rawKey } from "../../core/archive/key.ts";
import { compare, rawColumns } from "../../core/archive/raw-rows.ts";
import type { Block } from "../../core/block/block.ts";
import { packSummaries, rollupOf } from "../../core/window/pack-summary.ts";
import { wallMs } from "../clock.ts";
import type { AggregateEnv } from "./env.ts";
import { encodeParquet } from "./write-archive.ts";

export interface DecodedBlock {
  tenant: string;
  device: string;
  startMs: number;
  endMs: number;
  revision: number;
  block: Block;
}

/** D1 takes a bound text of 2 MB (D1 limits, 2026-11); rollups travel as JSON in pieces below half of it. */
const ROWS_TEXT_CHARS_MAX = 500_000;

/** The blocks, one revision each, that storage does not have at this revision or a higher one. */
export async function newerThanStored<B extends Omit<DecodedBlock, "block">>(
  database: D1Database,
  blocks: readonly B[],
): Promise<B[]> {
  const newest = new Map<string, B>();
  for (const block of blocks) {
    const id = `${block.device}/${block.startMs}`;
    if ((newest.get(id)?.revision ?? 0) < block.revision) newest.set(id, block);
  }
  const asked = [...newest.values()];
  const ids = JSON.stringify(asked.map(({ device, startMs }) => [device, startMs]));
  const { results: rows } = await database
    .prepare(
      `SELECT rollup.device, rollup.start_ms, rollup.revision FROM json_each(?2) AS id
       CROSS JOIN rollup ON rollup.tenant = ?1 AND rollup.device = id.value ->> 0 AND rollup.start_ms = id.value ->> 1`,
    )
    .bind(blocks[0]!.tenant, ids)
    .all<{ device: string; start_ms: number; revision: number }>();
  const stored = new Map(rows.map(({ device, start_ms, revision }) => [`${device}/${start_ms}`, revision]));
  return asked.filter((block) => (stored.get(`${block.device}/${block.startMs}`) ?? 0) < block.revision);
}

/**
 * Puts the file, then commits manifest and rollups together. A file whose commit did not happen is in no manifest: it
 * is invisible. When another consumer stored one of the blocks meanwhile, nothing is committed.
 * @throws when R2 or D1 fail, or another consumer was faster: the batch is tried again.
 */
export async function storeBlocks(env: AggregateEnv, blocks: readonly DecodedBlock[]): Promise<void> {
  const sorted = [...blocks].sort((a, b) => compare(a.device, b.device) || a.startMs - b.startMs);
  const { tenant, startMs } = sorted[0]!;
  const date = dateOf(startMs);
  const ids = JSON.stringify(sorted.map(({ device, startMs, revision }) => [device, startMs, revision]));
  const key = rawKey(tenant, date, await shortHash(ids));
  const columns = rawColumns(sorted);
  const file = encodeParquet(columns);
  await env.COLD.put(key, file, { httpMetadata: { contentType: "application/vnd.apache.parquet" } });

  const fromMs = Math.min(...sorted.map((block) => block.startMs));
  const toMs = Math.max(...sorted.map((block) => block.endMs));
  const manifest = env.WARM_0.prepare(INSERT_MANIFEST).bind(
    tenant,
    date,
    key,
    ids,
    fromMs,
    toMs,
    sorted[0]!.device,
    sorted.at(-1)!.device,
    columns.value.length,
    file.length,
    wallMs(),
  );
  const rollups = textsOfRows(sorted).map((rows) =>
    env.WARM_0.prepare(UPSERT_ROLLUPS).bind(tenant, date, key, rows),
  );
  const [inserted] = await env.WARM_0.batch([manifest, ...rollups]);
  if (inserted!.meta.changes === 0) throw new Error("another consumer stored one of these blocks first");
}

/**
 * drizzle cannot say these two: an insert that happens only if no block of the file is stored, and one only if that
 * happened. CROSS JOIN keeps json_each the outer loop, one look-up a block; SQLite would else scan the tenant's rollups.
 */
const INSERT_MANIFEST = `
  INSERT INTO archive_file
    (tenant, date, key, kind, blocks, from_ms, to_ms, min_device, max_device, row_count, bytes, created_at)
  SELECT ?1, ?2, ?3, 'raw', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
  WHERE NOT EXISTS (
    SELECT 1 FROM json_each(?4) AS id
    CROSS JOIN rollup ON rollup.tenant = ?1 AND rollup.device = id.value ->> 0
      AND rollup.start_ms = id.value ->> 1 AND rollup.revision >= id.value ->> 2
  )`;
const UPSERT_ROLLUPS = `
  INSERT INTO rollup (tenant, device, start_ms, end_ms, revision, summaries)
  SELECT ?1, line.value ->> 0, line.value ->> 1, line.value ->> 2, line.value ->> 3, line.value ->> 4
  FROM json_each(?4) AS line
  WHERE EXISTS (SELECT 1 FROM archive_file WHERE tenant = ?1 AND date = ?2 AND key = ?3)
  ON CONFLICT (tenant, device, start_ms) DO UPDATE
  SET end_ms = excluded.end_ms, revision = excluded.revision, summaries = excluded.summaries
  WHERE excluded.revision > rollup.revision`;

/** Rows of the rollup table as JSON texts, each small enough to bind. */
function textsOfRows(blocks: readonly DecodedBlock[]): string[] {
  const texts: string[] = [];
  let rows: string[] = [];
  let chars = 0;
  for (const { device, startMs, endMs, revision, block } of blocks) {
    const row = JSON.stringify([device, startMs, endMs, revision, packSummaries(rollupOf(block))]);
    if (chars + row.length > ROWS_TEXT_CHARS_MAX && rows.length > 0) {
      texts.push(`[${rows.join()}]`);
      rows = [];
      chars = 0;
    }
    rows.push(row);
    chars += row.length;
  }
  return [...texts, `[${rows.join()}]`];
}

/** The first 128 bits of SHA-256, hex: the same blocks at the same revisions always make the same key. */
async function shortHash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest, 0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
