// Computed hours → their rows, and their marks lifted, in one transaction and only where the mark is still ours.
import { dateOf } from "../../../core/archive/key.ts";
import { packZoneMetrics, type ZoneHour, type ZoneHourId } from "../../../core/window/zone-hour.ts";
import { FLEET } from "../../../schemas/tables.ts";
import { markDays, markHours, newToken } from "../archive/dirty-marks.ts";
import { piecesOf } from "./pieces-of.ts";

/** D1 takes a bound text of 2 MB (D1 limits, 2026-11), and quoting lengthens it. */
const ROWS_CHARS_MAX = 500_000;

const textOf = (ids: readonly ZoneHourId[]) => JSON.stringify(ids.map(({ zone, hourMs }) => [zone, hourMs]));

/**
 * Claims marks for this runner. Returns those that are still there, and the token they are claimed under: storing a
 * block ends the claim on the hours it changes.
 * @throws when D1 fails.
 */
export async function takeMarks(
  database: D1Database,
  tenant: string,
  marks: readonly ZoneHourId[],
): Promise<{ token: number; marks: ZoneHourId[] }> {
  const token = newToken();
  const { results } = await database
    .prepare(TAKE)
    .bind(tenant, textOf(marks), token)
    .all<{ zone: string; hourMs: number }>();
  return { token, marks: results };
}

const TAKE = `
  UPDATE dirty_hour SET taken_by = ?3
  WHERE tenant = ?1 AND (zone, hour_ms) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?2))
  RETURNING zone, hour_ms AS hourMs`;

/**
 * Writes hours of one UTC day whose marks `token` still claims, and deletes those marks; an hour in which nothing is
 * left is deleted too. With `areOfZones` the fleet's hours and the day's hourly file, which depend on them, are
 * marked dirty. Rows written: two an hour of a zone and three more an hour and one a day; $1 a million.
 * @throws when D1 fails.
 */
export async function writeHours(
  database: D1Database,
  tenant: string,
  token: number,
  hours: readonly (ZoneHourId & { hour: ZoneHour | undefined })[],
  areOfZones: boolean,
): Promise<void> {
  if (hours.length === 0) return;
  const rows = hours.flatMap(({ zone, hourMs, hour }) => {
    if (hour === undefined) return [];
    const metrics = packZoneMetrics(hour);
    return [{ bytes: metrics.length, row: [zone, hourMs, hour.devices, hour.readings, metrics] }];
  });
  const all = textOf(hours);
  const gone = textOf(hours.filter(({ hour }) => hour === undefined));
  const statement = (sql: string, ...bound: unknown[]) => database.prepare(sql).bind(tenant, token, ...bound);
  await database.batch([
    ...piecesOf(rows, ROWS_CHARS_MAX).map((piece) =>
      statement(WRITE, JSON.stringify(piece.map(({ row }) => row))),
    ),
    ...(gone === "[]" ? [] : [statement(DELETE, gone)]),
    ...(areOfZones
      ? [statement(MARK_FLEET, all, FLEET), statement(MARK_DAY, all, dateOf(hours[0]!.hourMs))]
      : []),
    statement(LIFT, all),
  ]);
}

const OURS = `
  json_each(?3) AS line CROSS JOIN dirty_hour AS mark ON mark.tenant = ?1 AND mark.zone = line.value ->> 0
    AND mark.hour_ms = line.value ->> 1 AND mark.taken_by = ?2`;
const WRITE = `
  INSERT INTO zone_hour (tenant, zone, hour_ms, devices, readings, metrics)
  SELECT ?1, mark.zone, mark.hour_ms, line.value ->> 2, line.value ->> 3, line.value ->> 4 FROM ${OURS} WHERE true
  ON CONFLICT (tenant, zone, hour_ms) DO UPDATE
  SET devices = excluded.devices, readings = excluded.readings, metrics = excluded.metrics`;
const DELETE = `
  DELETE FROM zone_hour WHERE tenant = ?1 AND (zone, hour_ms) IN (SELECT mark.zone, mark.hour_ms FROM ${OURS})`;
const MARK_FLEET = markHours(`SELECT DISTINCT ?1, ?4, mark.hour_ms, 0 FROM ${OURS} WHERE true`);
const MARK_DAY = markDays(`SELECT ?1, ?4, 1, 0, 0 WHERE EXISTS (SELECT 1 FROM ${OURS})`);
const LIFT = `
  DELETE FROM dirty_hour WHERE tenant = ?1 AND taken_by = ?2
    AND (zone, hour_ms) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?3))`;
