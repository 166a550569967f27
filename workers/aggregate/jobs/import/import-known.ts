// What storage has of the devices that an import is of: which blocks, and what is in those it changes.
import { dateOf } from "../../../../core/archive/key.ts";
import { type KnownBlock, type Readings, touchedBlocks } from "../../../../core/job/merge-import.ts";
import type { RevisedBlock } from "../../../../core/job/newest-rows.ts";
import { DAY_MS } from "../../../../core/time.ts";
import type { RawDay } from "../replay/replay-slice.ts";
import { type Reached, reachedOf, selectReached } from "./import-reached.ts";

/** What D1 knows of some devices' day, as of one instant. */
export interface Known {
  blocks: Map<string, KnownBlock[]>;
  /** Of the devices that were deleted: the last life that is gone. */
  generations: Map<string, number>;
  /** Whether one of the devices is being deleted. */
  dying: boolean;
  /** D1 has dropped the tenant's rollups before this hour; 0: none. */
  hourlyFromMs: number;
  /** How many of the tenant's rollups retention has deleted so far. */
  deleted: number;
  /** How far the import is with the day. */
  reached: Reached | undefined;
}

/**
 * Reads what D1 has of the devices' day, whether that is all, and how far this import is with it, in one transaction.
 * @throws when D1 fails.
 */
export async function knownBlocks(
  database: D1Database,
  { tenant, devices, dayMs, job }: { tenant: string; devices: readonly string[]; dayMs: number; job: string },
): Promise<Known> {
  const names = JSON.stringify(devices);
  const [retained, tombstones, rollups, reached] = await database.batch<Record<string, number & string>>([
    database.prepare(SELECT_RETAINED).bind(tenant),
    database.prepare(SELECT_TOMBSTONES).bind(tenant, names),
    database.prepare(SELECT_BLOCKS).bind(tenant, names, dayMs, dayMs + DAY_MS),
    selectReached(database, tenant, job, dateOf(dayMs)),
  ]);
  const blocks = new Map<string, KnownBlock[]>();
  for (const { device, startMs, endMs, revision } of rollups!.results) {
    const own = blocks.get(device!) ?? [];
    blocks.set(device!, own);
    own.push({ startMs: startMs!, endMs: endMs!, revision: revision! });
  }
  const [row] = retained!.results;
  return {
    blocks,
    generations: new Map(tombstones!.results.map(({ device, generation }) => [device!, generation!])),
    dying: tombstones!.results.some(({ dying }) => dying === 1),
    hourlyFromMs: row?.hourlyFromMs ?? 0,
    deleted: row?.deleted ?? 0,
    reached: reachedOf(reached!.results[0]),
  };
}

const SELECT_RETAINED =
  "SELECT hourly_from_ms AS hourlyFromMs, rollups_deleted AS deleted FROM retained WHERE tenant = ?1";
const SELECT_TOMBSTONES = `
  SELECT tombstone.device, tombstone.generation, tombstone.finished_at IS NULL AS dying FROM json_each(?2) AS name
  CROSS JOIN tombstone ON tombstone.tenant = ?1 AND tombstone.device = name.value`;
const SELECT_BLOCKS = `
  SELECT rollup.device, rollup.start_ms AS startMs, rollup.end_ms AS endMs, rollup.revision FROM json_each(?2) AS name
  CROSS JOIN rollup ON rollup.tenant = ?1 AND rollup.device = name.value
    AND rollup.start_ms >= ?3 AND rollup.start_ms < ?4`;

/**
 * Reads the blocks that hold an imported instant from the archive. Returns them by device, and by start.
 * @throws when one is older than D1 says: it was stored meanwhile, and the step is made again.
 */
export async function contentsOf(
  archive: RawDay,
  readings: ReadonlyMap<string, Readings>,
  blocks: Known["blocks"],
): Promise<(device: string) => Map<number, RevisedBlock>> {
  const touched = new Map<string, KnownBlock[]>();
  for (const [device, taken] of readings) {
    const starts = touchedBlocks(taken, blocks.get(device) ?? []);
    if (starts.size > 0)
      touched.set(
        device,
        blocks.get(device)!.filter(({ startMs }) => starts.has(startMs)),
      );
  }
  if (touched.size === 0) return () => new Map();
  const all = [...touched.values()].flat();
  const fromMs = all.reduce((least, { startMs }) => Math.min(least, startMs), Number.POSITIVE_INFINITY);
  const toMs = all.reduce((most, { endMs }) => Math.max(most, endMs), 0);
  const rows = await archive.read({ devices: new Set(touched.keys()), fromMs, toMs });
  return (device) => {
    const contents = new Map(rows.blocksOf(device).map((own) => [own.block.startMs, own]));
    for (const { startMs, revision } of touched.get(device) ?? []) {
      if ((contents.get(startMs)?.revision ?? 0) < revision)
        throw new Error(`block ${startMs} of ${device} was stored while the import looked for it`);
    }
    return contents;
  };
}
