// The marks of a warm database by which hours and days are computed anew: the SQL that sets them, written once.

/**
 * Returns a token to take marks under, drawn so that no other runner has it: an integer from 1 on, for `taken_by` is
 * 0 while nobody works on a mark.
 */
export const newToken = (): number => 1 + Math.floor(Math.random() * (Number.MAX_SAFE_INTEGER - 1));

/**
 * SQL that marks hours of zones, or of the fleet, dirty. A mark that a runner has taken is taken from it, so that
 * what the runner computed is not written; a mark that nobody works on costs no row written.
 * @param rows a SELECT of tenant, zone, hour_ms and 0. It must have a WHERE, or SQLite takes ON CONFLICT for a join's
 * ON.
 */
export const markHours = (rows: string): string => `
  INSERT INTO dirty_hour (tenant, zone, hour_ms, taken_by) ${rows}
  ON CONFLICT (tenant, zone, hour_ms) DO UPDATE SET taken_by = 0 WHERE taken_by <> 0`;

/**
 * SQL that marks a list of hours dirty. Bound are the tenant as `?1` and the list, `[zone, hourMs][]` as JSON, as
 * `list`.
 * @param condition SQL without which nothing is marked, over further bound parameters; absent: all are marked
 */
export const markListedHours = (list: `?${number}`, condition = "true"): string =>
  markHours(
    `SELECT ?1, mark.value ->> 0, mark.value ->> 1, 0 FROM json_each(${list}) AS mark WHERE ${condition}`,
  );

/**
 * SQL that marks days dirty, to be exported into hourly files anew. A day that somebody exports just now is taken
 * from them, and one whose rollups retention has given up (`taken_by` -1) comes up again; a day that is dirty already
 * costs no row written.
 * @param rows a SELECT of tenant, date, 1, 0 and 0. It must have a WHERE, or SQLite takes ON CONFLICT for a join's
 * ON.
 */
export const markDays = (rows: string): string => `
  INSERT INTO archive_day (tenant, date, dirty, taken_by, revision) ${rows}
  ON CONFLICT (tenant, date) DO UPDATE SET dirty = 1, taken_by = 0 WHERE dirty = 0 OR taken_by <> 0`;

/**
 * SQL, `known (zone)`: the zones of tenant `?1` that have computed hours, the fleet among them, by one look-up each;
 * the last row is NULL. A SELECT follows.
 */
export const KNOWN_ZONES = knownZones("SELECT min(zone) FROM zone_hour WHERE tenant = ?1", "");

/** As KNOWN_ZONES, only the first `?3` of those after `?2`: after the fleet are all others. */
export const KNOWN_ZONES_AFTER = knownZones(
  "SELECT min(zone) FROM zone_hour WHERE tenant = ?1 AND zone > ?2",
  "LIMIT ?3",
);

function knownZones(first: string, limit: string): string {
  return `
  WITH RECURSIVE known (zone) AS (
    ${first}
    UNION ALL
    SELECT (SELECT min(zone) FROM zone_hour WHERE tenant = ?1 AND zone > known.zone)
    FROM known WHERE known.zone IS NOT NULL ${limit}
  )`;
}
