// Days whose rollups changed → their hours in hourly Parquet files, each export at a higher revision than the last.
import { type DeviceHour, hourlyRows } from "../../../core/archive/hourly-rows.ts";
import { archiveKey, dateOf, monthOf } from "../../../core/archive/key.ts";
import { HOURLY } from "../../../core/archive/layout.ts";
import { compare } from "../../../core/archive/raw-rows.ts";
import { DAY_MS, HOUR_MS } from "../../../core/time.ts";
import { windowsOfParts } from "../../../core/window/aggregate.ts";
import { BUCKET_MS_MAX } from "../../../core/window/align.ts";
import { type HourSummary, unpackSummaries } from "../../../core/window/pack-summary.ts";
import { wallMs } from "../../clock.ts";
import { giveWay } from "../../give-way.ts";
import { warmsOf } from "../../warm.ts";
import { withDeadline } from "../../with-deadline.ts";
import { ArchiveUpload } from "../archive/archive-upload.ts";
import { newToken } from "../archive/dirty-marks.ts";
import { shortHash } from "../archive/write-archive.ts";
import type { AggregateEnv } from "../env.ts";
import type { Turn } from "./chores.ts";
import { firstTenant, goRound } from "./go-round.ts";
import { piecesOf } from "./pieces-of.ts";
import { devicesAfter } from "./rollup-devices.ts";

const D1_ANSWERS_MS = 60_000;
/** Rollups read at once: unpacked they take some ten times as much of a Worker's 128 MB. */
const TEXT_CHARS_MAX = 2_000_000;
/** Rows of a row group: some 60 KB. */
const GROUP_ROWS = 1_000;
/** Rows of a file: some 40 MB. */
const FILE_ROWS_MAX = 600_000;

interface Day {
  tenant: string;
  date: string;
}

/** PERSISTED in the chore's cursor: the warm database's number and the day last seen to. */
interface DayPlace {
  number: number;
  date: string;
}

const SHARE_MS = 30_000;

/**
 * Writes the dirty days that have ended and whose hours are all computed into hourly files, of one tenant after another.
 * Returns the cursor; "" when all are seen to. A block stored meanwhile leaves its day dirty: what was written stands,
 * and the day is written again.
 */
export const exportHours = (turn: Turn): Promise<string> =>
  goRound<DayPlace>(turn, {
    name: "export-hours",
    shareMs: SHARE_MS,
    next: (after) => firstTenant(warmsOf(turn.env), NEXT_TENANT, after, dateOf(wallMs())),
    advance: (tenant, place, untilMs) => exportTenant(turn.env, tenant, place, untilMs),
  });

/** Exports a tenant's days. A day that fails is logged, and the next pass tries it again. */
async function exportTenant(
  env: AggregateEnv,
  tenant: string,
  from: DayPlace = { number: 0, date: "" },
  untilMs: number,
): Promise<DayPlace | undefined> {
  let place = from;
  const databases = warmsOf(env);
  while (place.number < databases.length) {
    const { number } = place;
    const date = await nextDay(databases[number]!, tenant, place.date);
    if (date === null) {
      place = { number: number + 1, date: "" };
      continue;
    }
    if (wallMs() >= untilMs) return place;
    await giveWay();
    try {
      await exportDay(env, number, { tenant, date });
    } catch (error) {
      console.error("day not exported; the next pass tries again", { tenant, date, error: String(error) });
    }
    place = { number, date };
  }
  return undefined;
}

const nextDay = (database: D1Database, tenant: string, after: string): Promise<string | null> =>
  withDeadline(
    D1_ANSWERS_MS,
    "D1",
    database.prepare(NEXT_DAY).bind(tenant, after, dateOf(wallMs())).first<string>("date"),
  );

const NEXT_TENANT =
  "SELECT min(tenant) AS tenant FROM archive_day WHERE tenant > ?1 AND dirty = 1 AND date < ?2";
/** Not while a device of the tenant is being deleted: its hours would come back. */
const NEXT_DAY = `
  SELECT date FROM archive_day AS day
  WHERE tenant = ?1 AND date > ?2 AND dirty = 1 AND date < ?3
    AND NOT EXISTS (
      SELECT 1 FROM dirty_hour WHERE tenant = day.tenant
      AND hour_ms >= unixepoch(day.date) * 1000 AND hour_ms < unixepoch(day.date, '+1 day') * 1000
    ) AND NOT EXISTS (SELECT 1 FROM tombstone WHERE tenant = day.tenant AND finished_at IS NULL)
  ORDER BY date LIMIT 1`;

interface HourlyFile {
  key: string;
  rows: number;
  bytes: number;
  minDevice: string;
  maxDevice: string;
}

/**
 * Writes a day's hourly files at the next revision, then commits their manifest rows and marks the day clean, unless
 * it changed meanwhile. `number`: the warm database's. A day that another runner took, or that is clean, is left
 * alone.
 * @throws when D1 or R2 fail or do not answer.
 */
export async function exportDay(env: AggregateEnv, number: number, { tenant, date }: Day): Promise<void> {
  const database = warmsOf(env)[number]!;
  const startedAt = wallMs();
  const token = newToken();
  const take = database.prepare(TAKE).bind(tenant, date, token).first<{ revision: number }>();
  const taken = await withDeadline(D1_ANSWERS_MS, "D1", take);
  if (taken === null) return;
  const { revision } = taken;

  const dayMs = Date.parse(date);
  const month = monthOf(date);
  const files: HourlyFile[] = [];
  let upload: ArchiveUpload | undefined;
  try {
    for await (const hours of groupsOfHours(database, tenant, dayMs)) {
      const id = await shortHash(JSON.stringify([number, tenant, date, revision, files.length]));
      upload ??= new ArchiveUpload(env.COLD, archiveKey("hourly", tenant, month, id), HOURLY);
      await upload.write(hourlyRows(hours, revision));
      if (upload.rows < FILE_ROWS_MAX) continue;
      files.push({ key: upload.key, ...(await upload.finish()) });
      upload = undefined;
    }
    if (upload !== undefined) files.push({ key: upload.key, ...(await upload.finish()) });
  } catch (error) {
    await upload?.abort();
    throw error;
  }
  await withDeadline(
    D1_ANSWERS_MS,
    "D1",
    database.batch([
      ...files.map(({ key, rows, bytes, minDevice, maxDevice }) =>
        database
          .prepare(INSERT_FILE)
          .bind(
            tenant,
            month,
            key,
            dayMs,
            dayMs + DAY_MS,
            minDevice,
            maxDevice,
            rows,
            bytes,
            wallMs(),
            startedAt,
          ),
      ),
      database.prepare(GIVE_BACK).bind(tenant, date, token, startedAt),
    ]),
  );
}

const TAKE = `
  UPDATE archive_day SET taken_by = ?3, revision = revision + 1
  WHERE tenant = ?1 AND date = ?2 AND dirty = 1 RETURNING revision`;
/** Nobody was deleted since the export began: it may have read what is gone. A minute for clocks that differ. */
const nobodyDeletedSince = (startedAt: string) =>
  `NOT EXISTS (SELECT 1 FROM tombstone WHERE tenant = ?1 AND coalesce(finished_at, ${startedAt}) >= ${startedAt} - 60000)`;
const INSERT_FILE = `
  INSERT INTO archive_file
    (tenant, date, key, kind, blocks, from_ms, to_ms, min_device, max_device, row_count, bytes, created_at)
  SELECT ?1, ?2, ?3, 'hourly', '[]', ?4, ?5, ?6, ?7, ?8, ?9, ?10 WHERE ${nobodyDeletedSince("?11")}`;
const GIVE_BACK = `
  UPDATE archive_day SET dirty = 0, taken_by = 0
  WHERE tenant = ?1 AND date = ?2 AND taken_by = ?3 AND ${nobodyDeletedSince("?4")}`;

/** The hours of a day by device, metric and start, some rows of a file at a time. */
async function* groupsOfHours(
  database: D1Database,
  tenant: string,
  dayMs: number,
): AsyncGenerator<DeviceHour[]> {
  let hours: DeviceHour[] = [];
  for (let after = ""; ; ) {
    const page = await withDeadline(D1_ANSWERS_MS, "D1", devicesAfter(database, tenant, after));
    if (page.length === 0) break;
    after = page.at(-1)!;
    for (const devices of await textsOf(database, tenant, dayMs, page)) {
      hours.push(...(await hoursOf(database, tenant, dayMs, devices)));
      for (; hours.length >= GROUP_ROWS; hours = hours.slice(GROUP_ROWS)) yield hours.slice(0, GROUP_ROWS);
    }
  }
  if (hours.length > 0) yield hours;
}

/** The devices that have rollups of the day, in groups whose rollups may be read at once; a large device is its own. */
async function textsOf(
  database: D1Database,
  tenant: string,
  dayMs: number,
  page: readonly string[],
): Promise<string[][]> {
  const { results } = await rollupsOf<{ device: string; bytes: number }>(
    database,
    `rollup.device, sum(length(rollup.summaries)) AS bytes ${FROM_ROLLUPS} GROUP BY rollup.device ORDER BY rollup.device`,
    [tenant, JSON.stringify(page), dayMs],
  );
  return piecesOf(results, TEXT_CHARS_MAX).map((piece) => piece.map(({ device }) => device));
}

/** The hours of some devices, merged from all rollups that reach into them. */
async function hoursOf(
  database: D1Database,
  tenant: string,
  dayMs: number,
  devices: readonly string[],
): Promise<DeviceHour[]> {
  const { results } = await rollupsOf<{ device: string; zone: string; summaries: string }>(
    database,
    `rollup.device, rollup.zone, rollup.summaries ${FROM_ROLLUPS} ORDER BY rollup.device, rollup.start_ms`,
    [tenant, JSON.stringify(devices), dayMs],
  );
  const series = new Map<
    string,
    { device: string; metric: string; parts: (HourSummary & { zone: string })[] }
  >();
  for (const { device, zone, summaries } of results) {
    for (const [metric, hours] of unpackSummaries(summaries)) {
      const key = `${device}/${metric}`;
      const own = series.get(key) ?? { device, metric, parts: [] };
      series.set(key, own);
      for (const { startMs, summary } of hours) {
        if (startMs >= dayMs && startMs < dayMs + DAY_MS) own.parts.push({ startMs, summary, zone });
      }
    }
  }
  return [...series.values()]
    .sort((a, b) => compare(a.device, b.device) || compare(a.metric, b.metric))
    .flatMap(({ device, metric, parts }) => {
      const zones = new Map(parts.map(({ startMs, zone }) => [startMs, zone]));
      return windowsOfParts(parts, HOUR_MS).map(({ startMs, summary }) => {
        return { device, metric, zone: zones.get(startMs)!, startMs, summary };
      });
    });
}

const rollupsOf = <Row>(database: D1Database, select: string, bound: [string, string, number]) =>
  withDeadline(
    D1_ANSWERS_MS,
    "D1",
    database
      .prepare(`SELECT ${select}`)
      .bind(...bound)
      .all<Row>(),
  );

const FROM_ROLLUPS = `
  FROM json_each(?2) AS name
  CROSS JOIN rollup ON rollup.tenant = ?1 AND rollup.device = name.value
    AND rollup.start_ms > ?3 - ${BUCKET_MS_MAX} AND rollup.start_ms < ?3 + ${DAY_MS} AND rollup.end_ms > ?3`;
