// Rollups of a tenant's devices → the hours of its zones, a page of devices at a time.
import { HOUR_MS } from "../../../core/time.ts";
import { BUCKET_MS_MAX } from "../../../core/window/align.ts";
import { type ZoneHour, type ZoneHourId, ZoneHoursBuilder } from "../../../core/window/zone-hour.ts";
import { piecesOf } from "./pieces-of.ts";
import { KNOWN_DEVICES } from "./rollup-devices.ts";

/** Devices looked up at once; one that has nothing in the hours costs two look-ups. */
const DEVICES_A_PAGE = 500;
/** Rollups read at once, packed: unpacked they take some ten times as much, and one thread is at them all the while. */
const ROLLUPS_BYTES = 1_000_000;
/** Summaries held at once: some 40 MB of a Worker's 128. */
export const SUMMARIES_MAX = 20_000;

/**
 * Computes the wanted hours from all rollups that reach into them. When they would take too much memory, or `isOver`
 * returns true, the last ones are left out, until a single hour is left, which is computed to its end. Returns the
 * hours that were computed; `hour` undefined: nothing is in it. Rows read: two a device and two for each rollup in
 * the hours' span ($0.001 a million).
 * @throws when D1 fails.
 */
export async function gatherZoneHours(
  database: D1Database,
  tenant: string,
  wanted: readonly ZoneHourId[],
  isOver: () => boolean,
): Promise<(ZoneHourId & { hour: ZoneHour | undefined })[]> {
  const builder = new ZoneHoursBuilder(wanted);
  const hours = wanted.map(({ hourMs }) => hourMs);
  const fromMs = Math.min(...hours);
  const span = [fromMs - BUCKET_MS_MAX, fromMs, Math.max(...hours) + HOUR_MS];
  for (let after = ""; wanted.length > 0; ) {
    const { results: page } = await database
      .prepare(SELECT_DEVICES)
      .bind(tenant, after, DEVICES_A_PAGE, ...span)
      .all<{ device: string; bytes: number | null }>();
    if (page.length === 0) break;
    after = page.at(-1)!.device;
    const having = page.flatMap(({ device, bytes }) => (bytes === null ? [] : [{ device, bytes }]));
    for (const piece of piecesOf(having, ROLLUPS_BYTES)) {
      const { results: rows } = await database
        .prepare(SELECT_ROLLUPS)
        .bind(tenant, JSON.stringify(piece.map(({ device }) => device)), ...span)
        .all<{ device: string; zone: string; summaries: string }>();
      for (const own of Map.groupBy(rows, ({ device }) => device).values()) {
        builder.add(own);
        while (builder.hourCount > 1 && builder.summaries > SUMMARIES_MAX) builder.halve();
      }
      if (isOver()) builder.halve();
    }
  }
  return builder.finish();
}

/** A page of the devices that have rollups, by name, and the size of those in the span; null for none. */
const SELECT_DEVICES = `
  ${KNOWN_DEVICES} SELECT device, (
    SELECT sum(octet_length(summaries)) FROM rollup WHERE tenant = ?1 AND rollup.device = known.device
      AND start_ms > ?4 AND start_ms < ?6 AND end_ms > ?5
  ) AS bytes FROM known WHERE device IS NOT NULL`;

const SELECT_ROLLUPS = `
  SELECT rollup.device, rollup.zone, rollup.summaries FROM json_each(?2) AS name
  CROSS JOIN rollup ON rollup.tenant = ?1 AND rollup.device = name.value
    AND rollup.start_ms > ?3 AND rollup.start_ms < ?5 AND rollup.end_ms > ?4
  ORDER BY rollup.device, rollup.start_ms`;
