// Hours computed before, in every warm database → parts of a fleet's windows of one metric.
import { and, asc, eq, gte, lt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { FleetPart } from "../../core/history/fleet-merger.ts";
import { unpackSummary } from "../../core/window/pack-summary.ts";
import { dirtyHour, FLEET, zoneHour } from "../../schemas/tables.ts";
import { type WarmEnv, warmsOf } from "../warm.ts";
import { fromStorage } from "./storage.ts";

/** The hours of a zone or the fleet, and which of them are not final. */
export interface ZoneHours {
  hours: FleetPart[];
  /** The first hour of the range that is not computed from all that is stored; undefined: there is none. */
  dirtyFromMs: number | undefined;
  dirtyHours: number;
  /** The first hour of the zone at all; undefined: it has none. */
  hoursFromMs: number | undefined;
  /** The most metrics that an hour of the range left out. */
  metricsLeftOut: number;
}

/**
 * Reads the hours of a zone, or of the fleet (`zone` FLEET). Each database has other devices: their hours add up.
 * @throws Problem `unavailable`.
 */
export async function readZoneHours(
  env: WarmEnv,
  asked: { tenant: string; zone: string; metric: string; startMs: number; endMs: number },
): Promise<ZoneHours> {
  const answers = await Promise.all(warmsOf(env).map((database) => readOne(database, asked)));
  const dirty = new Set(answers.flatMap(({ dirty }) => dirty));
  return {
    hours: answers.flatMap(({ hours }) => hours),
    dirtyFromMs: dirty.size === 0 ? undefined : Math.min(...dirty),
    dirtyHours: dirty.size,
    hoursFromMs: answers
      .flatMap(({ firstMs }) => firstMs ?? [])
      .reduce<number | undefined>((first, ms) => Math.min(first ?? ms, ms), undefined),
    metricsLeftOut: Math.max(0, ...answers.map(({ leftOut }) => leftOut)),
  };
}

async function readOne(
  database: D1Database,
  { tenant, zone, metric, startMs, endMs }: Parameters<typeof readZoneHours>[1],
): Promise<{ hours: FleetPart[]; dirty: number[]; firstMs: number | null; leftOut: number }> {
  const db = drizzle(database);
  // One metric is picked where the row lies: a zone may have a thousand. In a batch columns are told apart by their names.
  const of = <T>(member: "devices" | "summaries") =>
    sql<T | null>`(SELECT value FROM json_each(${zoneHour.metrics}, ${`$.${member}`}) WHERE key = ${metric})`.as(
      member,
    );
  const hours = db
    .select({
      startMs: zoneHour.hourMs,
      devices: of<number>("devices"),
      summary: of<string>("summaries"),
      leftOut: sql<number | null>`${zoneHour.metrics} ->> '$.leftOut'`.as("left_out"),
    })
    .from(zoneHour)
    .where(
      and(
        eq(zoneHour.tenant, tenant),
        eq(zoneHour.zone, zone),
        gte(zoneHour.hourMs, startMs),
        lt(zoneHour.hourMs, endMs),
      ),
    )
    .orderBy(asc(zoneHour.hourMs));
  // The fleet's hour comes from its zones': it is dirty when one of them is.
  const dirty = db
    .selectDistinct({ hourMs: dirtyHour.hourMs })
    .from(dirtyHour)
    .where(
      and(
        eq(dirtyHour.tenant, tenant),
        zone === FLEET ? undefined : eq(dirtyHour.zone, zone),
        gte(dirtyHour.hourMs, startMs),
        lt(dirtyHour.hourMs, endMs),
      ),
    );
  const first = db
    .select({ hourMs: sql<number | null>`min(${zoneHour.hourMs})`.as("first_ms") })
    .from(zoneHour)
    .where(and(eq(zoneHour.tenant, tenant), eq(zoneHour.zone, zone)));
  const [rows, marks, [earliest]] = await fromStorage("D1", db.batch([hours, dirty, first]));
  return {
    hours: rows.flatMap(({ startMs, devices, summary }) =>
      summary === null || devices === null
        ? []
        : [{ startMs, devices, summary: unpackSummary(summary)[0]!.summary }],
    ),
    dirty: marks.map(({ hourMs }) => hourMs),
    firstMs: earliest?.hourMs ?? null,
    leftOut: rows.reduce((most, { leftOut }) => Math.max(most, leftOut ?? 0), 0),
  };
}
