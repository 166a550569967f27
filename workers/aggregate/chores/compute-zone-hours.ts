// Marks of dirty hours → those hours of zones and of the fleet, each computed anew from what storage has.
import { dateOf } from "../../../core/archive/key.ts";
import type { ZoneHourId } from "../../../core/window/zone-hour.ts";
import { FLEET } from "../../../schemas/tables.ts";
import { wallMs } from "../../clock.ts";
import { giveWay } from "../../give-way.ts";
import { warmsOf } from "../../warm.ts";
import { withDeadline } from "../../with-deadline.ts";
import type { Turn } from "./chores.ts";
import { gatherFleetHours } from "./gather-fleet-hours.ts";
import { gatherZoneHours } from "./gather-zone-hours.ts";
import { firstTenant, goRound } from "./go-round.ts";
import { takeMarks, writeHours } from "./write-zone-hours.ts";

/** A page of marks costs a look at all the tenant's. */
const MARKS_A_PAGE = 1_000;
/** Hours computed together at most: those of a day, so that each device is looked up once for all of them. */
const HOURS_AT_ONCE = 24;
/** An hour of a fleet of a hundred thousand devices is a thousand pages of rollups. */
const HOURS_ANSWER_MS = 120_000;
const SHARE_MS = 3_000;

/** PERSISTED in the chore's cursor: the warm database's number, its zones or its fleet, and the mark last seen to. */
type MarkPlace = ZoneHourId & { number: number; isFleet: boolean };

/** Before every mark: no hour is of before the beginning of time. */
const START: MarkPlace = { number: 0, isFleet: false, hourMs: -1, zone: "" };

/**
 * Computes the dirty hours, of one tenant after another. Returns the cursor; "" when all are seen to. The hours of a day
 * are computed together: each device's rollups of them are read once, a look-up a device, whatever it has there. A block
 * stored meanwhile ends the claim on the mark, and the hour is computed again.
 */
export const computeZoneHours = (turn: Turn): Promise<string> =>
  goRound<MarkPlace>(turn, {
    name: "zone-hours",
    shareMs: SHARE_MS,
    next: (after) => firstTenant(warmsOf(turn.env), NEXT_TENANT, after),
    advance: (tenant, place, untilMs) => computeTenant(warmsOf(turn.env), tenant, place ?? START, untilMs),
  });

const NEXT_TENANT = "SELECT min(tenant) AS tenant FROM dirty_hour WHERE tenant > ?1";

/**
 * Computes a tenant's dirty hours, in one pass over its marks in each warm database, first of zones and then of the
 * fleet. An hour that fails costs no other: hours that fail together are computed one by one, and the mark of the one
 * that cannot be computed stays for the next pass.
 */
async function computeTenant(
  databases: readonly D1Database[],
  tenant: string,
  from: MarkPlace,
  untilMs: number,
): Promise<MarkPlace | undefined> {
  let place = from;
  let hoursAtOnce = HOURS_AT_ONCE;
  while (place.number < databases.length) {
    const database = databases[place.number]!;
    const marks = await marksAfter(database, tenant, place);
    for (let left = marks; left.length > 0; ) {
      if (wallMs() >= untilMs) return place;
      await giveWay();
      const together = firstHours(left, hoursAtOnce);
      const hourCount = countHours(together);
      let seenTo = together.length;
      try {
        const computing = computeHours(database, tenant, together, place.isFleet, untilMs);
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
        const { hourMs } = together[0]!;
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
  return undefined;
}

async function marksAfter(
  database: D1Database,
  tenant: string,
  { hourMs, zone, isFleet }: MarkPlace,
): Promise<ZoneHourId[]> {
  const { results } = await database
    .prepare(
      `SELECT hour_ms AS hourMs, zone FROM dirty_hour
       WHERE tenant = ?1 AND (hour_ms, zone) > (?2, ?3) AND (zone = ?4) = ?5 ORDER BY hour_ms, zone LIMIT ?6`,
    )
    .bind(tenant, hourMs, zone, FLEET, isFleet ? 1 : 0, MARKS_A_PAGE)
    .all<ZoneHourId>();
  return results;
}

/** The first marks that are of one UTC day, and of so many hours at most. */
function firstHours(marks: readonly ZoneHourId[], hoursMax: number): ZoneHourId[] {
  const { hourMs } = marks[0]!;
  const hours = new Set<number>();
  const end = marks.findIndex(
    (mark) => dateOf(mark.hourMs) !== dateOf(hourMs) || hours.add(mark.hourMs).size > hoursMax,
  );
  return marks.slice(0, end < 0 ? marks.length : end);
}

const countHours = (marks: readonly ZoneHourId[]) => new Set(marks.map(({ hourMs }) => hourMs)).size;

/**
 * Computes the dirty zones of some hours of a day, or the fleet. Gives from when on they were too much for once;
 * undefined: they were not.
 */
async function computeHours(
  database: D1Database,
  tenant: string,
  marks: readonly ZoneHourId[],
  isFleet: boolean,
  untilMs: number,
): Promise<number | undefined> {
  const { token, marks: taken } = await takeMarks(database, tenant, marks);
  const gather = isFleet ? gatherFleetHours : gatherZoneHours;
  const gathered = await gather(database, tenant, taken, () => wallMs() >= untilMs);
  await writeHours(database, tenant, token, gathered, !isFleet);
  const done = new Set(gathered.map(({ hourMs }) => hourMs));
  const givenUp = taken.filter(({ hourMs }) => !done.has(hourMs));
  return givenUp.length === 0 ? undefined : Math.min(...givenUp.map(({ hourMs }) => hourMs));
}
