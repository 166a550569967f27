// Raw files of a UTC day → the rollups of their blocks, put in the place of those that D1 has, slice by slice.
import type { NewestRows, Slice } from "../../../../core/job/newest-rows.ts";
import type { SliceStart } from "../../../../core/job/slices.ts";
import { DAY_MS, HOUR_MS } from "../../../../core/time.ts";
import { alignDown } from "../../../../core/window/align.ts";
import {
  carryThinned,
  packSummaries,
  rollupOf,
  unpackSummaries,
} from "../../../../core/window/pack-summary.ts";
import { wallMs } from "../../../clock.ts";
import { warmsOf } from "../../../warm.ts";
import { markListedHours } from "../../archive/dirty-marks.ts";
import type { AggregateEnv } from "../../env.ts";
import { placeAfter, RawDay, type RawFile, readWholeBlocks } from "./replay-slice.ts";
import { zonesOfBlocks } from "./replay-zones.ts";

/** A slice: its rows take some 15 MB, and its rollups as much again. */
const SLICE = { rows: 150_000, devices: 100 };
/** How long a step goes on with the day it has opened. */
const STEP_MS = 2_000;
/** D1 takes a bound text of 2 MB (D1 limits, 2026-11). */
const TEXT_CHARS_MAX = 500_000;

export interface Day {
  /** The number of the warm database. */
  number: number;
  tenant: string;
  date: string;
}

export interface ReplayOptions {
  /** Only these devices. */
  among?: ReadonlySet<string> | undefined;
  /** The hours are marked with each slice; else whoever replays marks them when the day is whole. */
  marks: boolean;
}

export interface Replayed {
  /** Where the next step goes on; null: the day is done. */
  place: SliceStart | null;
  rollups: number;
  readings: number;
  /** The zones in which the blocks count. */
  zones: string[];
}

/**
 * Replaces the rollups of the devices that have rows in the day's files, from `place` on and as far as time allows;
 * others are left alone, and so is a device that is being deleted. Returns how far it came. Blocks keep start, end
 * and revision. They keep their zone where D1 or an hourly file knows it; else they count where the registry has the
 * device.
 * @throws when a block of the slice is stored meanwhile: the step is made again.
 */
export async function replaySlices(
  env: AggregateEnv,
  { number, tenant, date }: Day,
  place: SliceStart,
  { among, marks }: ReplayOptions,
): Promise<Replayed> {
  const database = warmsOf(env)[number]!;
  const files = await rawFiles(database, tenant, date);
  const fromMs = Date.parse(date);
  const day = await RawDay.open(env.COLD, files, fromMs, fromMs + DAY_MS);
  const rowsOf = await day.survey(place, among);
  const replayed = { place, rollups: 0, readings: 0 };
  const zones = new Set<string>();
  for (const untilMs = wallMs() + STEP_MS; ; ) {
    const planned = day.plan(rowsOf, replayed.place, SLICE);
    if (planned === undefined) return { ...replayed, place: null, zones: [...zones] };
    const lives = await livesOf(database, tenant, planned.devices);
    const { rows, slice } = await readWholeBlocks(day, planned, SLICE.rows);
    for (const device of lives.dying) rows.forget(device);
    const fresh = await replaceRollups(env, database, { tenant, date, files, slice, rows, lives, marks });
    for (const row of fresh) zones.add(row[5]);
    replayed.rollups += fresh.length;
    replayed.readings += rows.count;
    replayed.place = placeAfter(slice, day.toMs);
    if (wallMs() >= untilMs) return { ...replayed, zones: [...zones] };
  }
}

/** Returns the live raw files of a day, by key. @throws when D1 fails. */
export async function rawFiles(database: D1Database, tenant: string, date: string): Promise<RawFile[]> {
  const { results } = await database
    .prepare(
      `SELECT key, bytes FROM archive_file
       WHERE tenant = ?1 AND date = ?2 AND kind = 'raw' AND replaced_at IS NULL ORDER BY key`,
    )
    .bind(tenant, date)
    .all<RawFile>();
  return results;
}

/** Which of the devices are being deleted, and a number that changes when one is. */
export interface Lives {
  dying: string[];
  sum: number;
}

/** Returns which of these devices are being deleted, and a sum that changes when one is. @throws when D1 fails. */
export async function livesOf(
  database: D1Database,
  tenant: string,
  devices: ReadonlySet<string>,
): Promise<Lives> {
  const { results } = await database
    .prepare(
      `SELECT tombstone.device, tombstone.generation, tombstone.finished_at IS NULL AS dying ${FROM_TOMBSTONES}`,
    )
    .bind(tenant, JSON.stringify([...devices]))
    .all<{ device: string; generation: number; dying: number }>();
  return {
    dying: results.filter(({ dying }) => dying === 1).map(({ device }) => device),
    sum: results.reduce((sum, { generation }) => sum + generation, 0),
  };
}

const FROM_TOMBSTONES = `
  FROM json_each(?2) AS name CROSS JOIN tombstone ON tombstone.tenant = ?1 AND tombstone.device = name.value`;

interface Replacement {
  tenant: string;
  date: string;
  files: readonly RawFile[];
  slice: Slice;
  rows: NewestRows;
  lives: Lives;
  marks: boolean;
}

type RollupRow = [
  device: string,
  startMs: number,
  endMs: number,
  revision: number,
  summaries: string,
  zone: string,
];

/** In one transaction; every statement does nothing unless the files read are still all there is of these devices. */
async function replaceRollups(
  env: AggregateEnv,
  database: D1Database,
  { tenant, date, files, slice, rows, lives, marks }: Replacement,
): Promise<RollupRow[]> {
  const devices = [...slice.devices].filter((device) => !lives.dying.includes(device));
  const names = JSON.stringify(devices);
  const { results: old } = await database
    .prepare(SELECT_OLD)
    .bind(tenant, names, slice.fromMs, slice.toMs)
    .all<{ device: string; startMs: number; endMs: number; zone: string; summaries: string }>();
  const zoneOf = await zonesOfBlocks(env, database, { tenant, date, devices, old });
  const hours = new Map<string, [zone: string, hourMs: number]>();
  const mark = (zone: string, hourMs: number) => hours.set(`${zone}/${hourMs}`, [zone, hourMs]);
  for (const { startMs, endMs, zone } of old) {
    for (let hour = alignDown(startMs, HOUR_MS); hour < endMs; hour += HOUR_MS) mark(zone, hour);
  }
  const fresh: RollupRow[] = [];
  for (const device of devices) {
    const own = [...rows.blocksOf(device)].map(({ revision, block }) => ({
      ...block,
      revision,
      rollup: rollupOf(block),
    }));
    const replaced = old.filter((row) => row.device === device);
    carryThinned(
      replaced.map(({ summaries }) => unpackSummaries(summaries)),
      own.map(({ rollup }) => rollup),
    );
    for (const { revision, startMs, endMs, rollup } of own) {
      const touched = [...rollup.values()].flatMap((own) => own.map((hour) => hour.startMs));
      const zone = zoneOf(device, startMs, touched);
      for (const hour of touched) mark(zone, hour);
      fresh.push([device, startMs, endMs, revision, packSummaries(rollup), zone]);
    }
  }
  const guarded = (query: string, ...values: unknown[]) =>
    database
      .prepare(query)
      .bind(tenant, names, date, JSON.stringify(files.map(({ key }) => key)), lives.sum, ...values);
  const results = await database.batch<{ is_same: number }>([
    ...textsOf(marks ? [...hours.values()] : []).map((text) => guarded(MARK_HOURS, text)),
    guarded(DELETE_OLD, slice.fromMs, slice.toMs),
    ...textsOf(fresh).map((text) => guarded(INSERT_NEW, text)),
    guarded(`SELECT ${IS_SAME} AS is_same`),
  ]);
  if (results.at(-1)!.results[0]!.is_same !== 1)
    throw new Error(`blocks of ${date} were stored, or a device deleted, while they were replayed`);
  return fresh;
}

/** No file has come that may hold a block of these devices, and none of them was deleted. */
const IS_SAME = `(NOT EXISTS (
    SELECT 1 FROM archive_file AS file
    WHERE file.tenant = ?1 AND file.date = ?3 AND file.kind = 'raw' AND file.replaced_at IS NULL
      AND file.key NOT IN (SELECT value FROM json_each(?4))
      AND (file.blocks = '[]' OR EXISTS (
        SELECT 1 FROM json_each(file.blocks) AS id WHERE id.value ->> 0 IN (SELECT value FROM json_each(?2))
      ))
  ) AND ?5 = (SELECT coalesce(sum(tombstone.generation), 0) ${FROM_TOMBSTONES}))`;
const SELECT_OLD = `
  SELECT rollup.device, rollup.start_ms AS startMs, rollup.end_ms AS endMs, rollup.zone, rollup.summaries
  FROM json_each(?2) AS name CROSS JOIN rollup ON rollup.tenant = ?1 AND rollup.device = name.value
    AND rollup.start_ms >= ?3 AND rollup.start_ms < ?4`;
const MARK_HOURS = markListedHours("?6", IS_SAME);
const DELETE_OLD = `
  DELETE FROM rollup WHERE tenant = ?1 AND device IN (SELECT value FROM json_each(?2))
    AND start_ms >= ?6 AND start_ms < ?7 AND ${IS_SAME}`;
const INSERT_NEW = `
  INSERT INTO rollup (tenant, device, start_ms, end_ms, revision, summaries, zone)
  SELECT ?1, line.value ->> 0, line.value ->> 1, line.value ->> 2, line.value ->> 3, line.value ->> 4, line.value ->> 5
  FROM json_each(?6) AS line WHERE ${IS_SAME}
  ON CONFLICT (tenant, device, start_ms) DO UPDATE
  SET end_ms = excluded.end_ms, revision = excluded.revision, summaries = excluded.summaries`;

/** Rows as JSON texts, each small enough to bind. */
function textsOf(rows: readonly unknown[]): string[] {
  const texts: string[] = [];
  let lines: string[] = [];
  let chars = 0;
  for (const row of rows) {
    const line = JSON.stringify(row);
    if (chars + line.length > TEXT_CHARS_MAX && lines.length > 0) {
      texts.push(`[${lines.join()}]`);
      lines = [];
      chars = 0;
    }
    lines.push(line);
    chars += line.length;
  }
  return lines.length === 0 ? texts : [...texts, `[${lines.join()}]`];
}
