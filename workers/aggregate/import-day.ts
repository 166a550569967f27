// What an import has of a UTC day → the blocks that change by it, stored as any others are.

import { DEFAULT_ZONE } from "../../core/device/state.ts";
import { type ImportCounts, mergeImport, type Readings } from "../../core/job/merge-import.ts";
import type { RevisedBlock } from "../../core/job/newest-rows.ts";
import { nextDevices, type Place, stretchEnd } from "../../core/job/slices.ts";
import { wallMs } from "../clock.ts";
import { readPartBlock } from "../import-parts.ts";
import { warmsOf } from "../warm.ts";
import type { AggregateEnv } from "./env.ts";
import { contentsOf, knownBlocks } from "./import-known.ts";
import type { StagedEntry } from "./import-survey.ts";
import { type Day, rawFiles } from "./replay-archive.ts";
import { placeAfter, RawDay } from "./replay-slice.ts";
import { zonesOfDevices } from "./replay-zones.ts";
import { type DecodedBlock, storeBlocks } from "./store-blocks.ts";

const DAY_MS = 86_400_000;
/** Imported readings of a slice, and those its devices have: together they take some 30 MB. */
const SLICE = { rows: 100_000, devices: 50 };
const STEP_MS = 2_000;

export interface Imported extends ImportCounts {
  /** Readings of devices that were deleted after the import was made. */
  deleted: number;
  /** Where the next step goes on; null: the day is done; "wait": a device is being deleted; "gone": D1 has given up the day. */
  next: Place | null | "wait" | "gone";
}

interface Import {
  day: Day;
  /** When the import was made: devices deleted since stay deleted. */
  madeAt: number;
  /** Rollups that retention had deleted when the day was last whole in D1; null: it was never given up. */
  deleted: number | null;
}

/**
 * Stores the readings of the day's devices, which lie in this warm database, from `place` on and as far as time allows. A
 * repetition finds them stored. Of a day that D1 has given up, all of the devices' rollups are to be there first: only
 * they say which blocks there are.
 * @throws when a block of the slice is stored meanwhile: the step is made again.
 */
export async function importSlices(
  env: AggregateEnv,
  { day, madeAt, deleted }: Import,
  entries: readonly StagedEntry[],
  place: Place,
): Promise<Imported> {
  const database = warmsOf(env)[day.number]!;
  const { tenant, date } = day;
  const fromMs = Date.parse(date);
  const imported: Imported = { stored: 0, duplicate: 0, corrected: 0, deleted: 0, next: place };
  const byDevice = Map.groupBy(entries, ({ device }) => device);
  const archive = await RawDay.open(
    env.COLD,
    await rawFiles(database, tenant, date),
    fromMs,
    fromMs + DAY_MS,
  );
  const rowsOf = await archive.survey(place, new Set(byDevice.keys()));
  for (const [device, blocks] of byDevice) {
    const readings = blocks.reduce((sum, entry) => sum + entry.readings, 0);
    rowsOf.set(device, (rowsOf.get(device) ?? 0) + readings);
  }
  let at = place;
  for (const untilMs = wallMs() + STEP_MS; ; ) {
    const devices = nextDevices(rowsOf, at, SLICE);
    if (devices === undefined) return { ...imported, next: null };
    const slice = stretchOf(devices, at, fromMs, byDevice, rowsOf);
    const known = await knownBlocks(database, tenant, devices, fromMs);
    if (deleted === null ? fromMs < known.hourlyFromMs : deleted !== known.deleted)
      return { ...imported, next: "gone" };
    if (known.dying) return { ...imported, next: "wait" };
    const changed: DecodedBlock[] = [];
    const zones = await zonesOfDevices(env.CONTROL, tenant, devices);
    const readings = await readingsOf(env.COLD, byDevice, slice);
    for (const device of devices) {
      const count = countOf(readings.get(device)!);
      if ((known.generations.get(device) ?? 0) < madeAt) continue;
      imported.deleted += count;
      readings.delete(device);
    }
    const contents = await contentsOf(archive, readings, known.blocks);
    for (const [device, taken] of readings) {
      const { blocks, counts } = mergeImport(taken, known.blocks.get(device) ?? [], contents(device), slice);
      imported.stored += counts.stored;
      imported.duplicate += counts.duplicate;
      imported.corrected += counts.corrected;
      const mark = { tenant, device, generation: madeAt, zone: zones.get(device) ?? DEFAULT_ZONE };
      changed.push(...blocks.map(({ revision, block }) => decodedOf(mark, revision, block)));
    }
    if (changed.length > 0) await storeBlocks(database, env.COLD, changed);
    const isWhole = slice.toMs === fromMs + DAY_MS;
    at = placeAfter({ ...slice, devices: new Set(devices) }, fromMs + DAY_MS);
    imported.next = at;
    // The next stretch of a large device is to find what this one stored.
    if (!isWhole || wallMs() >= untilMs) return imported;
  }
}

const decodedOf = (
  mark: Pick<DecodedBlock, "tenant" | "device" | "generation" | "zone">,
  revision: number,
  block: RevisedBlock["block"],
): DecodedBlock => ({ ...mark, startMs: block.startMs, endMs: block.endMs, revision, block });

const countOf = (readings: Readings) => [...readings.values()].reduce((sum, { at }) => sum + at.length, 0);

interface Stretch {
  devices: readonly string[];
  fromMs: number;
  toMs: number;
}

/** The whole day of the devices, or of a single large one as much as fits. */
function stretchOf(
  devices: readonly string[],
  place: Place,
  dayMs: number,
  byDevice: ReadonlyMap<string, readonly StagedEntry[]>,
  rowsOf: ReadonlyMap<string, number>,
): Stretch {
  const endMs = dayMs + DAY_MS;
  const [first] = devices as [string];
  const fromMs = first === place.device ? Math.max(dayMs, place.fromMs) : dayMs;
  const rows = rowsOf.get(first)!;
  if (devices.length > 1 || rows <= SLICE.rows) return { devices, fromMs, toMs: endMs };
  const stretches = byDevice
    .get(first)!
    .map(({ readings, minMs, maxMs }) => ({ rows: readings, minMs, maxMs }));
  const staged = stretches.reduce((sum, stretch) => sum + stretch.rows, 0);
  return { devices, fromMs, toMs: stretchEnd(stretches, fromMs, endMs, (SLICE.rows * staged) / rows) };
}

/** The slice's readings by device; of two values of one the later part's counts. */
async function readingsOf(
  bucket: R2Bucket,
  byDevice: ReadonlyMap<string, readonly StagedEntry[]>,
  { fromMs, toMs, devices }: Stretch,
): Promise<Map<string, Readings>> {
  const found = new Map<string, Readings>();
  for (const device of devices) {
    const wanted = byDevice.get(device)!.filter(({ minMs, maxMs }) => minMs < toMs && maxMs >= fromMs);
    const metrics = new Map<string, Map<number, number>>();
    for (const entry of [...wanted].sort((a, b) => a.part - b.part)) {
      const { columns } = await readPartBlock(bucket, entry.key, entry);
      for (const { metric, at, value } of columns) {
        const column = metrics.get(metric) ?? new Map<number, number>();
        metrics.set(metric, column);
        for (const [i, instant] of at.entries())
          if (instant >= fromMs && instant < toMs) column.set(instant, value[i]!);
      }
    }
    found.set(
      device,
      new Map(
        [...metrics].map(([metric, points]) => {
          const at = [...points.keys()].sort((a, b) => a - b);
          return [metric, { at, value: at.map((instant) => points.get(instant)!) }];
        }),
      ),
    );
  }
  return found;
}
