// Marks of dirty hours → those hours of zones and of the fleet, each computed anew from what storage has.
import { dateOf } from "../../../core/archive/key.ts";
import { mergeZoneHours, unpackZoneMetrics, type ZoneHourId } from "../../../core/window/zone-hour.ts";
import { FLEET } from "../../../schemas/tables.ts";
import { wallMs } from "../../clock.ts";
import { giveWay } from "../../give-way.ts";
import { warmsOf } from "../../warm.ts";
import { withDeadline } from "../../with-deadline.ts";
import { KNOWN_ZONES_BUT_FLEET } from "../archive/dirty-marks.ts";
import type { Turn } from "./chores.ts";
import { gatherZoneHours } from "./gather-zone-hours.ts";
import { piecesOf } from "./pieces-of.ts";
import { takeMarks, writeHours } from "./write-zone-hours.ts";

/** A page of marks costs a look at all of them. */
const MARKS_A_PAGE = 1_000;
/** Hours computed together at most: those of a day, so that each device is looked up once for all of them. */
const HOURS_AT_ONCE = 24;
/** An hour of a fleet of a hundred thousand devices is a thousand pages of rollups. */
const HOURS_ANSWER_MS = 120_000;
/** Zones' hours read at once, packed: unpacked they take some ten times as much of a Worker's 128 MB. */
const ZONE_HOURS_BYTES = 1_000_000;

interface Mark extends ZoneHourId {
  tenant: string;
}

/** PERSISTED as the chore's cursor: the warm database's number, its zones or its fleets, and the mark last seen to. */
type MarkCursor = Mark & { number: number; isFleet: boolean };

const START: MarkCursor = { number: 0, isFleet: false, tenant: "", hourMs: 0, zone: "" };

/**
 * Computes the dirty hours, in one pass over the marks of each warm database, first of zones and then of fleets.
 * Returns the cursor; "" at the end. The hours of a day are computed together: each device's rollups of them are read
 * once, a look-up a device, whatever it has there. A block stored meanwhile ends the claim on the mark, and the hour
 * is computed again. An hour that fails costs no other: hours that fail together are computed one by one, and the
 * mark of the one that cannot be computed stays for the next pass.
 */
export async function computeZoneHours({ env, cursor, untilMs }: Turn): Promise<string> {
  let place: MarkCursor =
    cursor === "" ? START : { ...START, ...(JSON.parse(cursor) as Partial<MarkCursor>) };
  let hoursAtOnce = HOURS_AT_ONCE;
  const databases = warmsOf(env);
  while (place.number < databases.length) {
    const database = databases[place.number]!;
    const marks = await marksAfter(database, place);
    for (let left = marks; left.length > 0; ) {
      if (wallMs() >= untilMs) return JSON.stringify(place);
      await giveWay();
      const together = firstHours(left, hoursAtOnce);
      const hourCount = countHours(together);
      let seenTo = together.length;
      try {
        const computing = (place.isFleet ? computeFleetHours : computeHours)(database, together, untilMs);
        const givenUpFromMs = await withDeadline(HOURS_ANSWER_MS, "D1", computing);
        if (givenUpFromMs === undefined) {
          hoursAtOnce = Math.min(HOURS_AT_ONCE, Math.max(hoursAtOnce, 2 * hourCount));
        } else {
          seenTo = together.findIndex(({ hourMs }) => hourMs >= givenUpFromMs);
          hoursAtOnce = countHours(together.slice(0, seenTo));
        }
      } catch (error) {
        hoursAtOnce = 1;
        if (hourCount > 1) continue;
        const { tenant, hourMs } = together[0]!;
        console.error("hour not computed; the next pass tries again", {
          tenant,
          hourMs,
          error: String(error),
        });
      }
      place = { ...place, ...together[seenTo - 1]! };
      left = left.slice(seenTo);
    }
    if (marks.length > 0) continue;
    place = place.isFleet
      ? { ...START, number: place.number + 1 }
      : { ...START, number: place.number, isFleet: true };
  }
  return "";
}

async function marksAfter(
  database: D1Database,
  { tenant, hourMs, zone, isFleet }: MarkCursor,
): Promise<Mark[]> {
  const { results } = await database
    .prepare(
      `SELECT tenant, hour_ms AS hourMs, zone FROM dirty_hour
       WHERE (tenant, hour_ms, zone) > (?1, ?2, ?3) AND (zone = ?4) = ?5 ORDER BY tenant, hour_ms, zone LIMIT ?6`,
    )
    .bind(tenant, hourMs, zone, FLEET, isFleet ? 1 : 0, MARKS_A_PAGE)
    .all<Mark>();
  return results;
}

/** The first marks that are of one tenant and UTC day, and of so many hours at most. */
function firstHours(marks: readonly Mark[], hoursMax: number): Mark[] {
  const { tenant, hourMs } = marks[0]!;
  const hours = new Set<number>();
  const end = marks.findIndex(
    (mark) =>
      mark.tenant !== tenant ||
      dateOf(mark.hourMs) !== dateOf(hourMs) ||
      hours.add(mark.hourMs).size > hoursMax,
  );
  return marks.slice(0, end < 0 ? marks.length : end);
}

const countHours = (marks: readonly Mark[]) => new Set(marks.map(({ hourMs }) => hourMs)).size;

/** Computes the dirty zones of some hours of a day. Gives from when on they were too much for once; undefined: they were not. */
async function computeHours(
  database: D1Database,
  marks: readonly Mark[],
  untilMs: number,
): Promise<number | undefined> {
  const { tenant } = marks[0]!;
  const { token, marks: taken } = await takeMarks(database, tenant, marks);
  const gathered = await gatherZoneHours(database, tenant, taken, () => wallMs() >= untilMs);
  await writeHours(database, tenant, token, gathered, true);
  const done = new Set(gathered.map(({ hourMs }) => hourMs));
  const givenUp = taken.filter(({ hourMs }) => !done.has(hourMs));
  return givenUp.length === 0 ? undefined : Math.min(...givenUp.map(({ hourMs }) => hourMs));
}

/** Merges the zones of some hours into the fleet's. */
async function computeFleetHours(database: D1Database, marks: readonly Mark[]): Promise<undefined> {
  const { tenant } = marks[0]!;
  const { token, marks: taken } = await takeMarks(database, tenant, marks);
  const hours = JSON.stringify(taken.map(({ hourMs }) => hourMs));
  const { results: sizes } = await database
    .prepare(SELECT_ZONE_HOUR_SIZES)
    .bind(tenant, hours)
    .all<{ hourMs: number; bytes: number }>();
  for (const piece of piecesOf(sizes, ZONE_HOURS_BYTES)) {
    const { results: zones } = await database
      .prepare(SELECT_ZONE_HOURS)
      .bind(tenant, JSON.stringify(piece.map(({ hourMs }) => hourMs)))
      .all<{ hourMs: number; devices: number; readings: number; metrics: string }>();
    const byHour = Map.groupBy(zones, ({ hourMs }) => hourMs);
    const merged = piece.map(({ hourMs }) => {
      const own = (byHour.get(hourMs) ?? []).map((zone) => ({
        ...zone,
        ...unpackZoneMetrics(zone.metrics),
      }));
      return { zone: FLEET, hourMs, hour: mergeZoneHours(own) };
    });
    await writeHours(database, tenant, token, merged, false);
  }
}

const SELECT_ZONE_HOUR_SIZES = `
  ${KNOWN_ZONES_BUT_FLEET} SELECT hour.value AS hourMs, coalesce(sum(octet_length(zone_hour.metrics)), 0) AS bytes
  FROM json_each(?2) AS hour LEFT JOIN known
  LEFT JOIN zone_hour ON zone_hour.tenant = ?1 AND zone_hour.zone = known.zone AND zone_hour.hour_ms = hour.value
  GROUP BY hour.value ORDER BY hour.value`;
const SELECT_ZONE_HOURS = `
  ${KNOWN_ZONES_BUT_FLEET}
  SELECT hour.value AS hourMs, zone_hour.devices, zone_hour.readings, zone_hour.metrics FROM known
  CROSS JOIN json_each(?2) AS hour
  CROSS JOIN zone_hour ON zone_hour.tenant = ?1 AND zone_hour.zone = known.zone AND zone_hour.hour_ms = hour.value`;
