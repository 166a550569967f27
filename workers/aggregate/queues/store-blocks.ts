// Decoded blocks of one tenant and day → one Parquet file, its manifest row and their rollups, in one transaction.
import { archiveKey, dateOf } from "../../../core/archive/key.ts";
import { compare, rawColumns } from "../../../core/archive/raw-rows.ts";
import type { Block } from "../../../core/block/block.ts";
import { packSummaries, type Rollup, rollupOf } from "../../../core/window/pack-summary.ts";
import { WHOLE_TENANT } from "../../../schemas/tables.ts";
import { wallMs } from "../../clock.ts";
import { withDeadline } from "../../with-deadline.ts";
import { markHours } from "../archive/dirty-marks.ts";
import { encodeParquet, ownId, PARQUET_TYPE } from "../archive/write-archive.ts";

/** A sealed block with its readings unpacked. */
export interface DecodedBlock {
  tenant: string;
  device: string;
  startMs: number;
  endMs: number;
  revision: number;
  generation: number;
  zone: string;
  block: Block;
}

type Mark = Pick<DecodedBlock, "generation" | "revision">;

/** D1 takes a bound text of 2 MB (D1 limits, 2026-11); rollups travel as JSON in pieces below half of it. */
const ROWS_TEXT_CHARS_MAX = 500_000;

/**
 * How long storage may take to answer before the batch counts as failed and is tried again; what an unanswered call did
 * after all is then found stored. A consumer may run for 15 min (Workers limits, 2026-11).
 */
const STORAGE_ANSWERS_MS = 60_000;

/**
 * Sorts blocks of one tenant, one revision each. Returns as `fresh` those that storage does not have at this revision
 * or a higher one, and whose life is not over; as `early` those of a life that storage does not take yet: what it has
 * of former lives is not listed, and they would be deleted with that. Two look-ups a block.
 * @throws when D1 fails or does not answer.
 */
export async function newerThanStored<B extends Omit<DecodedBlock, "block">>(
  database: D1Database,
  blocks: readonly B[],
): Promise<{ fresh: B[]; early: B[] }> {
  const newest = new Map<string, B>();
  for (const block of blocks) {
    const id = `${block.device}/${block.startMs}`;
    const known = newest.get(id);
    if (known === undefined || isNewer(block, known)) newest.set(id, block);
  }
  const asked = [...newest.values()];
  const ids = JSON.stringify(asked.map(({ device, startMs }) => [device, startMs]));
  const { tenant } = blocks[0]!;
  const asking = <Row>(query: string) =>
    withDeadline(STORAGE_ANSWERS_MS, "D1", database.prepare(query).bind(tenant, ids).all<Row>());
  const [rollups, tombstones] = await Promise.all([
    asking<{ device: string; start_ms: number; number: number }>(SELECT_REVISIONS),
    asking<{ device: string; generation: number; listing: number }>(SELECT_TOMBSTONES),
  ]);
  const stored = new Map(
    rollups.results.map(({ device, start_ms, number }) => [`${device}/${start_ms}`, number]),
  );
  const tombstoneOf = new Map(tombstones.results.map((row) => [row.device, row]));
  const tenants = tombstoneOf.get(WHOLE_TENANT)?.generation ?? -1;
  const fresh: B[] = [];
  const early: B[] = [];
  for (const block of asked) {
    const { generation = -1, listing = 0 } = tombstoneOf.get(block.device) ?? {};
    if (block.generation <= Math.max(generation, tenants)) continue;
    if (listing === 1) early.push(block);
    else if ((stored.get(`${block.device}/${block.startMs}`) ?? 0) < block.revision) fresh.push(block);
  }
  return { fresh, early };
}

/** Of a later life, or of the same life and a higher revision. */
const isNewer = (a: Mark, b: Mark) =>
  a.generation > b.generation || (a.generation === b.generation && a.revision > b.revision);

const SELECT_REVISIONS = `
  SELECT rollup.device, rollup.start_ms, rollup.revision AS number FROM json_each(?2) AS id
  CROSS JOIN rollup ON rollup.tenant = ?1 AND rollup.device = id.value ->> 0 AND rollup.start_ms = id.value ->> 1`;
const SELECT_TOMBSTONES = `
  SELECT DISTINCT tombstone.device, tombstone.generation, tombstone.listing FROM json_each(?2) AS id
  CROSS JOIN tombstone ON tombstone.tenant = ?1 AND tombstone.device IN (id.value ->> 0, '${WHOLE_TENANT}')`;

/**
 * Stores blocks of one tenant and UTC day: puts a file in R2, then commits its manifest row, the rollups and the
 * marks of dirty hours together. A file whose commit did not happen is invisible, and the next try puts another. When
 * another consumer stored one of the blocks meanwhile, or a device of them was deleted, nothing is committed.
 * @param alongside returns one more statement for the transaction, which must ask whether this file is in the
 * manifest
 * @throws when R2 or D1 fail or do not answer, or another consumer was faster: the batch is tried again.
 */
export async function storeBlocks(
  database: D1Database,
  bucket: R2Bucket,
  blocks: readonly DecodedBlock[],
  alongside?: (file: { tenant: string; date: string; key: string }) => D1PreparedStatement,
): Promise<void> {
  const sorted = [...blocks].sort((a, b) => compare(a.device, b.device) || a.startMs - b.startMs);
  const { tenant, startMs } = sorted[0]!;
  const date = dateOf(startMs);
  const ids = JSON.stringify(sorted.map(({ device, startMs, revision }) => [device, startMs, revision]));
  const key = archiveKey("raw", tenant, date, ownId());
  const columns = rawColumns(sorted);
  const file = encodeParquet(columns);
  await withDeadline(STORAGE_ANSWERS_MS, "R2", bucket.put(key, file, PARQUET_TYPE));

  const fromMs = Math.min(...sorted.map((block) => block.startMs));
  const toMs = Math.max(...sorted.map((block) => block.endMs));
  const lives = JSON.stringify(sorted.map(({ device, generation }) => [device, generation]));
  const manifest = database
    .prepare(INSERT_MANIFEST)
    .bind(
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
      lives,
    );
  const spans = JSON.stringify(sorted.map(({ device, startMs, endMs }) => [device, startMs, endMs]));
  const rolledUp = sorted.map(({ block, ...mark }) => ({ ...mark, rollup: rollupOf(block) }));
  const [inserted] = await withDeadline(
    STORAGE_ANSWERS_MS,
    "D1",
    database.batch([
      manifest,
      database.prepare(MARK_REPLACED).bind(tenant, date, key, spans),
      ...textsOfRows(rolledUp).map((rows) => database.prepare(UPSERT_ROLLUPS).bind(tenant, date, key, rows)),
      database.prepare(MARK_HOURS).bind(tenant, date, key, hoursTextOf(rolledUp)),
      ...(alongside === undefined ? [] : [alongside({ tenant, date, key })]),
    ]),
  );
  if (inserted!.meta.changes === 0) throw new Error("another consumer stored one of these blocks first");
}

/**
 * drizzle cannot say these four: an insert that happens only if no block of the file is stored and every device lives,
 * and three only if that happened. CROSS JOIN keeps json_each the outer loop, one look-up a block; SQLite would else scan the tenant's rollups.
 */
const INSERT_MANIFEST = `
  INSERT INTO archive_file
    (tenant, date, key, kind, blocks, from_ms, to_ms, min_device, max_device, row_count, bytes, created_at)
  SELECT ?1, ?2, ?3, 'raw', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11
  WHERE NOT EXISTS (
    SELECT 1 FROM json_each(?4) AS id
    CROSS JOIN rollup ON rollup.tenant = ?1 AND rollup.device = id.value ->> 0
      AND rollup.start_ms = id.value ->> 1 AND rollup.revision >= id.value ->> 2
  ) AND NOT EXISTS (
    SELECT 1 FROM json_each(?12) AS life
    CROSS JOIN tombstone ON tombstone.tenant = ?1 AND tombstone.device IN (life.value ->> 0, '${WHOLE_TENANT}')
      AND (tombstone.generation >= life.value ->> 1 OR tombstone.listing = 1)
  )`;
const UPSERT_ROLLUPS = `
  INSERT INTO rollup (tenant, device, start_ms, end_ms, revision, summaries, zone)
  SELECT ?1, line.value ->> 0, line.value ->> 1, line.value ->> 2, line.value ->> 3, line.value ->> 4, line.value ->> 5
  FROM json_each(?4) AS line
  WHERE EXISTS (SELECT 1 FROM archive_file WHERE tenant = ?1 AND date = ?2 AND key = ?3)
  ON CONFLICT (tenant, device, start_ms) DO UPDATE
  SET end_ms = excluded.end_ms, revision = excluded.revision, summaries = excluded.summaries
  WHERE excluded.revision > rollup.revision`;
/** A block that was cut leaves hours it had: its other part, which has them now, may have been stored and counted before. */
const MARK_REPLACED = markHours(`
  SELECT DISTINCT ?1, rollup.zone, (rollup.start_ms / 3600000 + nth.value) * 3600000, 0 FROM json_each(?4) AS line
  CROSS JOIN rollup ON rollup.tenant = ?1 AND rollup.device = line.value ->> 0 AND rollup.start_ms = line.value ->> 1
    AND rollup.end_ms > line.value ->> 2
  CROSS JOIN json_each('[0,1,2,3,4,5]') AS nth
  WHERE (rollup.start_ms / 3600000 + nth.value) * 3600000 < rollup.end_ms
    AND EXISTS (SELECT 1 FROM archive_file WHERE tenant = ?1 AND date = ?2 AND key = ?3)`);
/**
 * Marks the block's hours in the zone it was first stored with. A runner that is computing such an hour loses its
 * claim, so the hour is computed again. Hours of days whose rollups have left D1 are not marked: computed from this
 * block alone they would be wrong; replay restores such days.
 */
const MARK_HOURS = markHours(`
  SELECT DISTINCT ?1, rollup.zone, line.value ->> 2, 0 FROM json_each(?4) AS line
  CROSS JOIN rollup ON rollup.tenant = ?1 AND rollup.device = line.value ->> 0 AND rollup.start_ms = line.value ->> 1
  WHERE EXISTS (SELECT 1 FROM archive_file WHERE tenant = ?1 AND date = ?2 AND key = ?3)
    AND line.value ->> 2 >= coalesce((SELECT hourly_from_ms FROM retained WHERE tenant = ?1), 0)`);

type RolledUp = Omit<DecodedBlock, "block"> & { rollup: Rollup };

/** `[device, startMs, hourMs]` of each clock hour a block has readings in, as JSON. */
function hoursTextOf(blocks: readonly RolledUp[]): string {
  const hours = blocks.flatMap(({ device, startMs, rollup }) => {
    const own = new Set([...rollup.values()].flatMap((summaries) => summaries.map((hour) => hour.startMs)));
    return [...own].map((hourMs) => [device, startMs, hourMs]);
  });
  return JSON.stringify(hours);
}

/** Rows of the rollup table as JSON texts, each small enough to bind. */
function textsOfRows(blocks: readonly RolledUp[]): string[] {
  const texts: string[] = [];
  let rows: string[] = [];
  let chars = 0;
  for (const { device, startMs, endMs, revision, zone, rollup } of blocks) {
    const row = JSON.stringify([device, startMs, endMs, revision, packSummaries(rollup), zone]);
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
