// Incidents: as D1 lists them, and one with its members as its zone knows it.
import { and, asc, desc, eq, gt, gte, lt, ne, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { oldestFirst } from "../../core/alert/oldest-first.ts";
import { type AlertAction, type IncidentSnapshot, incident as incidentSchema } from "../../schemas/alert.ts";
import type { IncidentAnswer, IncidentsQuery, ListedIncident } from "../../schemas/alert-http.ts";
import { zoneName } from "../../schemas/name.ts";
import { alert as alertTable, incident as incidentTable } from "../../schemas/tables.ts";
import { askEach } from "../ask-each.ts";
import { Problem } from "../problem.ts";
import { withDeadline } from "../with-deadline.ts";
import { askDevice, parse } from "./alerts.ts";
import type { ApiEnv } from "./env.ts";
import { readLeads } from "./incident-names.ts";
import { afterOf, nextOf } from "./page.ts";
import { readDeviceNames } from "./registry.ts";
import { fromStorage } from "./storage.ts";

/**
 * Returns a page of incidents, newest first; `next` is the `after` of the page after it, null at the end. For its
 * cost see `readLeads`.
 */
export async function listIncidents(
  control: D1Database,
  tenant: string,
  { state, zone, from, to, after, limit }: IncidentsQuery,
): Promise<{ incidents: ListedIncident[]; next: string | null }> {
  const table = incidentTable;
  const last = afterOf(after);
  const rows = await fromStorage(
    "D1",
    drizzle(control)
      .select({ id: table.id, at: table.openedAt, body: table.body })
      .from(table)
      .where(
        and(
          eq(table.tenant, tenant),
          state === "active" ? ne(table.state, "resolved") : undefined,
          state === undefined || state === "active" ? undefined : eq(table.state, state),
          zone === undefined ? undefined : eq(table.zone, zone),
          from === undefined ? undefined : gte(table.openedAt, from),
          to === undefined ? undefined : lt(table.openedAt, to),
          last === undefined ? undefined : sql`(${table.openedAt}, ${table.id}) < (${last.at}, ${last.id})`,
        ),
      )
      .orderBy(desc(table.openedAt), desc(table.id))
      .limit(limit + 1),
  );
  const page = rows.slice(0, limit);
  const leads = await readLeads(
    control,
    tenant,
    page.map(({ id }) => id),
  );
  return {
    incidents: page.map(({ id, body }) => ({
      ...incidentSchema.parse(JSON.parse(body)),
      lead: leads.get(id) ?? null,
    })),
    next: nextOf(rows, limit),
  };
}

/**
 * Returns an incident with every member, from its zone while that knows it, else from D1.
 * @throws Problem `incident_not_found`.
 */
export async function readIncident(env: ApiEnv, tenant: string, id: string): Promise<IncidentSnapshot> {
  const zone = zoneName.safeParse(id.slice(0, Math.max(0, id.lastIndexOf("."))));
  if (!zone.success) throw noSuchIncident(id);
  return (await askZone(env, `${tenant}/${zone.data}`, id)) ?? (await readStored(env.CONTROL, tenant, id));
}

/** Names cost a row each; more members nobody reads one by one. */
const NAMED_MAX = 1_000;

/**
 * Returns what `readIncident` does, with the names of the devices of its first thousand members; none while D1 does
 * not answer.
 * @throws Problem `incident_not_found`.
 */
export async function showIncident(env: ApiEnv, tenant: string, id: string): Promise<IncidentAnswer> {
  const found = await readIncident(env, tenant, id);
  const devices = new Set(found.alerts.slice(0, NAMED_MAX).map(({ device }) => device));
  const names = await readDeviceNames(env.CONTROL, tenant, [...devices]).catch(() => ({}));
  return { ...found, names };
}

const noSuchIncident = (id: string) =>
  new Problem("incident_not_found", `no incident ${id}; GET /v1/incidents lists them`);

const ZONE_ANSWERS_MS = 3_000;

/** Null also when the zone does not answer. */
async function askZone(env: ApiEnv, zone: string, id: string): Promise<IncidentSnapshot | null> {
  try {
    return await withDeadline(ZONE_ANSWERS_MS, zone, env.ZONE.getByName(zone).incident(id));
  } catch (error) {
    console.warn("a zone did not say its incident", { zone, id, error: String(error) });
    return null;
  }
}

const MEMBERS_PAGE = 1_000;

async function readStored(control: D1Database, tenant: string, id: string): Promise<IncidentSnapshot> {
  const database = drizzle(control);
  const isRow = and(eq(incidentTable.tenant, tenant), eq(incidentTable.id, id));
  const [row] = await fromStorage("D1", database.select().from(incidentTable).where(isRow));
  if (row === undefined) throw noSuchIncident(id);
  const alerts: IncidentSnapshot["alerts"] = [];
  for (let last = ""; ; last = alerts.at(-1)!.id) {
    const isMember = and(eq(alertTable.tenant, tenant), eq(alertTable.incident, id), gt(alertTable.id, last));
    const page = database.select({ body: alertTable.body }).from(alertTable).where(isMember);
    const rows = await fromStorage("D1", page.orderBy(asc(alertTable.id)).limit(MEMBERS_PAGE));
    for (const { body } of rows) alerts.push(parse(body));
    if (rows.length < MEMBERS_PAGE) break;
  }
  alerts.sort(oldestFirst);
  const { body, nameless } = row;
  return { incident: incidentSchema.parse(JSON.parse(body)), alerts, ...(nameless > 0 ? { nameless } : {}) };
}

const ASKED = { atOnce: 50, deadlineMs: 20_000 };

/**
 * Acts on every active member of an incident. Returns how many were `done` and `refused`, and the ids of the alerts
 * whose devices did not answer (`missing`).
 * @throws Problem `incident_not_found`.
 */
export async function actOnMembers(
  env: ApiEnv,
  tenant: string,
  id: string,
  action: AlertAction,
  by: string,
): Promise<{ done: number; refused: number; missing: string[] }> {
  const { alerts } = await readIncident(env, tenant, id);
  const active = alerts.filter(({ state }) => state !== "resolved").map((alert) => alert.id);
  let done = 0;
  const missing = await askEach(
    active,
    ASKED,
    (alert) => askDevice(env, tenant, alert, action, by),
    (answer) => {
      if ("alert" in answer) done += 1;
    },
  );
  return { done, refused: active.length - done - missing.length, missing };
}
