// Hours of a tenant's zones → the same hours of its fleet, a page of zones at a time.
import {
  unpackZoneMetrics,
  type ZoneHour,
  type ZoneHourId,
  ZoneHoursBuilder,
} from "../../../core/window/zone-hour.ts";
import { FLEET } from "../../../schemas/tables.ts";
import { KNOWN_ZONES_AFTER } from "../archive/dirty-marks.ts";
import { SUMMARIES_MAX } from "./gather-zone-hours.ts";
import { piecesOf } from "./pieces-of.ts";

/** Zones looked up at once, in at most the 24 hours of a day. */
export const ZONES_A_PAGE = 200;
/** Zones' hours read at once, packed: unpacked they take some ten times as much of a Worker's 128 MB. */
const ZONE_HOURS_BYTES = 1_000_000;

/**
 * Merges the wanted hours of the fleet from those of its zones, in the order of the zones' names, which are in memory a
 * megabyte at a time. When the merged ones would take too much memory, or `isOver` returns true, the last hours are left
 * out, until a single one is left, which is merged to its end. Returns the hours that were merged; `hour` undefined:
 * nothing is in it. Rows read: a zone two, and two for each of its hours ($0.001 a million).
 * @throws when D1 fails.
 */
export async function gatherFleetHours(
  database: D1Database,
  tenant: string,
  wanted: readonly ZoneHourId[],
  isOver: () => boolean,
): Promise<(ZoneHourId & { hour: ZoneHour | undefined })[]> {
  const builder = new ZoneHoursBuilder(wanted);
  const hours = JSON.stringify(wanted.map(({ hourMs }) => hourMs));
  for (let after: string | null = FLEET; after !== null && wanted.length > 0; ) {
    const { results: page }: D1Result<Size> = await database
      .prepare(SELECT_SIZES)
      .bind(tenant, after, ZONES_A_PAGE, hours)
      .all<Size>();
    for (const piece of piecesOf(page.filter(isThere), ZONE_HOURS_BYTES)) {
      const { results: rows } = await database
        .prepare(SELECT_ZONE_HOURS)
        .bind(tenant, JSON.stringify(piece.map(({ zone, hourMs }) => [zone, hourMs])))
        .all<{ hourMs: number; devices: number; readings: number; metrics: string }>();
      for (const { hourMs, devices, readings, metrics } of rows) {
        builder.addHour({ zone: FLEET, hourMs }, { devices, readings, ...unpackZoneMetrics(metrics) });
        while (builder.hourCount > 1 && builder.summaries > SUMMARIES_MAX) builder.halve();
      }
      if (isOver()) builder.halve();
    }
    after = page.at(-1)?.zone ?? null;
  }
  return builder.finish();
}

/** How long a zone's hour is, packed; a zone that has none of the hours has one row of nulls, and the end is null too. */
interface Size {
  zone: string | null;
  hourMs: number | null;
  bytes: number | null;
}

const isThere = (size: Size): size is { zone: string; hourMs: number; bytes: number } => size.bytes !== null;

const SELECT_SIZES = `
  ${KNOWN_ZONES_AFTER} SELECT known.zone, own.hour_ms AS hourMs, octet_length(own.metrics) AS bytes
  FROM known LEFT JOIN zone_hour AS own ON own.tenant = ?1 AND own.zone = known.zone
    AND own.hour_ms IN (SELECT value FROM json_each(?4))
  ORDER BY known.zone IS NULL, known.zone, own.hour_ms`;
const SELECT_ZONE_HOURS = `
  SELECT own.hour_ms AS hourMs, own.devices, own.readings, own.metrics FROM json_each(?2) AS named
  CROSS JOIN zone_hour AS own ON own.tenant = ?1 AND own.zone = named.value ->> 0 AND own.hour_ms = named.value ->> 1
  ORDER BY own.zone, own.hour_ms`;
