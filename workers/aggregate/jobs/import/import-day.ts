// What an import has of a UTC day → the blocks that change by it, stored as any others are.

import { DEFAULT_ZONE } from "../../../../core/device/state.ts";
import { compareRevisions } from "../../../../core/job/import-part.ts";
import { mergeImport, type Readings } from "../../../../core/job/merge-import.ts";
import type { RevisedBlock } from "../../../../core/job/newest-rows.ts";
import { nextDevices, type SliceStart, stretchEnd } from "../../../../core/job/slices.ts";
import { DAY_MS } from "../../../../core/time.ts";
import { wallMs } from "../../../clock.ts";
import { readPartBlock } from "../../../import-parts.ts";
import { warmsOf } from "../../../warm.ts";
import type { AggregateEnv } from "../../env.ts";
import { type DecodedBlock, storeBlocks } from "../../queues/store-blocks.ts";
import { type Day, rawFiles } from "../replay/replay-archive.ts";
import { placeAfter, RawDay } from "../replay/replay-slice.ts";
import { zonesOfDevices } from "../replay/replay-zones.ts";
import { contentsOf, knownBlocks } from "./import-known.ts";
import { type DayCounts, isAfter, noteReached } from "./import-reached.ts";
import type { StagedEntry } from "./import-survey.ts";

/** Imported readings of a slice, and those its devices have: together they take some 30 MB. */
const SLICE = { rows: 100_000, devices: 50 };
const STEP_MS = 2_000;

/** How far the import of a day is in one warm database. */
export interface Imported {
  /** What was counted of the day so far, in this database. */
  counts: DayCounts;
  /**
   * Where the next step goes on; null: the day is done; "wait": a device is being deleted; "gone": D1 has dropped the
   * day's rollups.
   */
  next: SliceStart | null | "wait" | "gone";
}

interface Import {
  day: Day;
  job: string;
  /** When the import was made: devices deleted since stay deleted. */
  madeAt: number;
  /** Rollups that retention had deleted when the day was last whole in D1; null: D1 never dropped it. */
  deleted: number | null;
}

/**
 * Stores the imported readings of the day's devices that lie in this warm database, from `place` on and as far as
 * time allows. Returns how far it came. Repeated, it goes on after what is stored, with what was counted of it. Of a
 * day whose rollups D1 has dropped, the devices' must be back first: only they say which blocks there are.
 * @throws when D1 or R2 fail, or a block of the slice is stored meanwhile: the step is made again.
 */
export async function importSlices(
  env: AggregateEnv,
  { day, job, madeAt, deleted }: Import,
  entries: readonly StagedEntry[],
  { place, counts: before }: { place: SliceStart; counts: DayCounts },
): Promise<Imported> {
  const database = warmsOf(env)[day.number]!;
  const { tenant, date } = day;
  const fromMs = Date.parse(date);
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
  let counts = { ...before };
  for (const untilMs = wallMs() + STEP_MS; ; ) {
    const devices = nextDevices(rowsOf, at, SLICE);
    if (devices === undefined) return { counts, next: null };
    const slice = stretchOf(devices, at, fromMs, byDevice, rowsOf);
    const known = await knownBlocks(database, { tenant, devices, dayMs: fromMs, job });
    if (deleted === null ? fromMs < known.hourlyFromMs : deleted !== known.deleted)
      return { counts, next: "gone" };
    if (known.dying) return { counts, next: "wait" };
    if (known.reached !== undefined && isAfter(known.reached.place, at)) {
      // Stored before by a step whose end was never saved, or that is being made twice.
      at = known.reached.place;
      counts = known.reached.counts;
      continue;
    }
    const changed: DecodedBlock[] = [];
    const zones = await zonesOfDevices(env.CONTROL, tenant, devices);
    const readings = await readingsOf(env.COLD, byDevice, slice);
    for (const device of devices) {
      const count = countOf(readings.get(device)!);
      if ((known.generations.get(device) ?? 0) < madeAt) continue;
      counts.deleted += count;
      readings.delete(device);
    }
    const contents = await contentsOf(archive, readings, known.blocks);
    for (const [device, taken] of readings) {
      const merged = mergeImport(taken, known.blocks.get(device) ?? [], contents(device), slice);
      counts.stored += merged.counts.stored;
      counts.duplicate += merged.counts.duplicate;
      counts.corrected += merged.counts.corrected;
      const mark = { tenant, device, generation: madeAt, zone: zones.get(device) ?? DEFAULT_ZONE };
      changed.push(...merged.blocks.map(({ revision, block }) => decodedOf(mark, revision, block)));
    }
    at = placeAfter({ ...slice, devices: new Set(devices) }, fromMs + DAY_MS);
    const reached = { place: at, counts };
    if (changed.length > 0)
      await storeBlocks(database, env.COLD, changed, (file) => noteReached(database, job, file, reached));
    const isWhole = slice.toMs === fromMs + DAY_MS;
    // The next stretch of a large device is to find what this one stored.
    if (!isWhole || wallMs() >= untilMs) return { counts, next: at };
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
  place: SliceStart,
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

/** The slice's readings by device; of two values of one that of the higher revision counts, then the later part's. */
async function readingsOf(
  bucket: R2Bucket,
  byDevice: ReadonlyMap<string, readonly StagedEntry[]>,
  { fromMs, toMs, devices }: Stretch,
): Promise<Map<string, Readings>> {
  const found = new Map<string, Readings>();
  for (const device of devices) {
    const wanted = byDevice.get(device)!.filter(({ minMs, maxMs }) => minMs < toMs && maxMs >= fromMs);
    const metrics = new Map<string, Map<number, number>>();
    for (const entry of wanted.sort((a, b) => compareRevisions(a, b) || a.part - b.part)) {
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
