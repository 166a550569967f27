// DELETE of a tenant → its devices, streams, channels, zones, rows and files gone, and then a job that says so.
//
// Objects that take something go first. What was under way in a Worker when they were gone is over before rows and files go,
// so nothing comes back; and each statement asks whether the deletion still runs, so nothing of a next life goes.
import { compare } from "../../../../core/archive/raw-rows.ts";
import type { DeleteTenantSpec } from "../../../../schemas/job.ts";
import { WHOLE_TENANT } from "../../../../schemas/tables.ts";
import { wallMs } from "../../../clock.ts";
import { endTenantLife, fenceOf, lastLifeOf } from "../../../end-tenant.ts";
import { inLanes } from "../../../lanes.ts";
import { tenantEnded } from "../../../tenant.ts";
import { warmsOf } from "../../../warm.ts";
import type { RunningJob, Step } from "../step.ts";
import { eraseFiles } from "./erase-files.ts";
import { eraseRows } from "./erase-rows.ts";

/** PERSISTED as the job's cursor. `after`: the last device, zone or channel that is done, in the order of their names. */
type Paged = { at: "devices" | "streams" | "channels" | "zones"; after: string };
type Cursor =
  | { at: "life" | "files" | "end" }
  | Paged
  /** Since when no object takes anything. */
  | { at: "settle"; sinceMs: number }
  | { at: "rows"; table: number };

type Deletion = RunningJob<DeleteTenantSpec>;

const OBJECTS_AT_ONCE = 50;
const PAGE = 200;

/** What began before the objects were gone is over by then: a consumer or a cron runs 15 min at most (Workers limits, 2026-11). */
export const SETTLED_MS = 15 * 60_000;

/**
 * Does one step of a tenant's deletion; one that was broken off may be done again. A step costs a call or two of at most 200
 * objects, or deletes at most 500 rows or 1,000 files.
 * @throws when D1, R2 or an object fails: the step is tried again.
 */
export async function deleteTenant(job: Deletion): Promise<Step> {
  const { env, spec } = job;
  const { tenant, generation } = spec;
  const cursor = (job.cursor ?? { at: "life" }) as Cursor;
  switch (cursor.at) {
    case "life":
      await endTenantLife(env, spec);
      return go({ at: "devices", after: "" });
    case "devices":
      return await eachOf(
        cursor,
        { at: "streams", after: "" },
        await devicesOf(job, cursor.after),
        ({ name }) => env.DEVICE.getByName(`${tenant}/${name}`).erase(generation),
      );
    case "streams": {
      const revoked = { notBeforeMs: wallMs(), ids: [] };
      if (cursor.after === "") await env.FLEET.getByName(tenant).endVoid(revoked);
      return await eachOf(
        cursor,
        { at: "channels", after: "" },
        await zonesOf(job, cursor.after),
        ({ name }) => env.ZONE.getByName(`${tenant}/${name}`).endVoid(revoked),
      );
    }
    case "channels": {
      const then: Cursor = { at: "settle", sinceMs: wallMs() };
      return await eachOf(cursor, then, await channelsOf(job, cursor.after), ({ name, createdAt }) =>
        env.CHANNEL.getByName(`${tenant}/${name}`).configure(null, createdAt),
      );
    }
    case "settle":
      if (wallMs() < cursor.sinceMs + SETTLED_MS) return go(cursor, { outcome: "wait" });
      return go({ at: "zones", after: "" });
    case "zones":
      return await eachOf(cursor, { at: "rows", table: 0 }, await zonesOf(job, cursor.after), ({ name }) =>
        env.ZONE.getByName(`${tenant}/${name}`).erase(),
      );
    case "rows": {
      const { next, rows } = await eraseRows(env, spec, cursor.table);
      return go(next === null ? { at: "files" } : { at: "rows", table: next }, { counts: { rows } });
    }
    case "files": {
      const { done, files } = await eraseFiles(env, spec);
      return go(done ? { at: "end" } : { at: "files" }, { counts: { files } });
    }
    case "end":
      await end(job);
      return { phase: "done", outcome: "done" };
  }
}

const go = (cursor: Cursor, step: Partial<Step> = {}): Step => ({
  phase: cursor.at,
  cursor,
  outcome: "more",
  ...step,
});

interface Named {
  name: string;
  /** Of a channel. */
  createdAt?: number;
}

/** Calls each object of a page; the step goes on after the last of them, or with `then` when there were none. */
async function eachOf(
  cursor: Paged,
  then: Cursor,
  page: readonly Named[],
  call: (named: Named) => Promise<void>,
): Promise<Step> {
  if (page.length === 0) return go(then);
  await inLanes(page, OBJECTS_AT_ONCE, call);
  const counts = cursor.at === "streams" ? {} : { [cursor.at]: page.length };
  return go({ ...cursor, after: page.at(-1)!.name }, { counts });
}

/** The next names, ascending and each once, that any of these queries gives: each gives at most `PAGE` after `?2`. */
async function pageOf(
  { spec }: Deletion,
  after: string,
  queries: readonly [database: D1Database, sql: string][],
): Promise<Named[]> {
  const found = await Promise.all(
    queries.map(([database, sql]) => database.prepare(sql).bind(spec.tenant, after).all<Named>()),
  );
  const named = new Map(found.flatMap(({ results }) => results.map((one) => [one.name, one])));
  // The first `PAGE` of all are there, whichever query has how many.
  return [...named.values()].sort((a, b) => compare(a.name, b.name)).slice(0, PAGE);
}

/** Reads the rows of the tenant after the name, once each page. */
const namesIn = (table: string, column: string) =>
  `SELECT DISTINCT ${column} AS name FROM ${table} WHERE tenant = ?1 AND ${column} > ?2 ORDER BY 1 LIMIT ${PAGE}`;

/** The same of a table whose index begins with tenant and column: two rows read a name, however many rows have it. */
const namesByIndex = (table: string, column: string) => `
  WITH RECURSIVE found (name) AS (
    SELECT min(${column}) FROM ${table} WHERE tenant = ?1 AND ${column} > ?2
    UNION ALL SELECT (SELECT min(${column}) FROM ${table} WHERE tenant = ?1 AND ${column} > found.name) FROM found
    WHERE found.name IS NOT NULL LIMIT ${PAGE}
  ) SELECT name FROM found WHERE name IS NOT NULL`;

const inEachWarm = (job: Deletion, sql: string) =>
  warmsOf(job.env).map((database): [D1Database, string] => [database, sql]);

/** Also of those that were deleted, or got tokens and never reported: their objects have a row. */
const devicesOf = (job: Deletion, after: string) =>
  pageOf(job, after, [
    [job.env.CONTROL, namesByIndex("device", "device")],
    [job.env.CONTROL, namesByIndex("alert_tombstone", "device")],
    [job.env.CONTROL, namesIn("token", "device")],
    ...inEachWarm(job, namesByIndex("tombstone", "device")),
    ...inEachWarm(job, namesByIndex("rollup", "device")),
  ]);

const zonesOf = (job: Deletion, after: string) =>
  pageOf(job, after, [
    [job.env.CONTROL, namesByIndex("device", "zone")],
    [job.env.CONTROL, namesIn("alert", "zone")],
    [job.env.CONTROL, namesIn("incident", "zone")],
    ...inEachWarm(job, namesByIndex("zone_hour", "zone")),
    ...inEachWarm(job, namesByIndex("dirty_hour", "zone")),
  ]);

const channelsOf = (job: Deletion, after: string) => pageOf(job, after, [[job.env.CONTROL, SELECT_CHANNELS]]);

const SELECT_CHANNELS = `
  SELECT id AS name, body ->> 'createdAt' AS createdAt FROM channel WHERE tenant = ?1 AND id > ?2
  ORDER BY id LIMIT ${PAGE}`;

/** The name may be made anew: fences first, so that nothing of the next life is taken for this one's. */
async function end({ env, spec }: Deletion): Promise<void> {
  const { tenant, generation } = spec;
  for (const database of warmsOf(env)) {
    await database
      .prepare(FINISH_TOMBSTONE)
      .bind(tenant, WHOLE_TENANT, fenceOf(spec), lastLifeOf(spec), wallMs())
      .run();
  }
  await env.CONTROL.prepare(FINISH_TENANT).bind(tenant, generation, wallMs()).run();
  await tenantEnded(env.TENANT, tenant, generation);
}

const FINISH_TOMBSTONE = `
  UPDATE tombstone SET generation = ?4, finished_at = ?5 WHERE tenant = ?1 AND device = ?2 AND generation = ?3`;
const FINISH_TENANT = `
  UPDATE tenant SET status = 'deleted', deleted_at = ?3 WHERE tenant = ?1 AND generation = ?2 AND status = 'ending'`;
