// Alerts: as D1 lists them, and one as its device knows it.
import { and, asc, desc, eq, gte, lt, ne, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { deviceOfAlert } from "../../core/alert/act.ts";
import { type Alert, type AlertAction, alert as alertSchema } from "../../schemas/alert.ts";
import type { AlertDetail, AlertsQuery, ListedAlert } from "../../schemas/alert-http.ts";
import type { AlertAnswer } from "../../schemas/message.ts";
import { alertEvent, alert as alertTable } from "../../schemas/tables.ts";
import { Problem } from "../problem.ts";
import { withDeadline } from "../with-deadline.ts";
import type { ApiEnv } from "./env.ts";
import { afterOf, nextOf } from "./page.ts";
import { fromStorage } from "./storage.ts";

type Row = Pick<typeof alertTable.$inferSelect, "body" | "incident">;

/**
 * Returns a page of alerts, newest first; `next` is the `after` of the page after it, null at the end.
 * @throws Problem `unavailable`.
 */
export async function listAlerts(
  control: D1Database,
  tenant: string,
  { state, device, zone, rule, severity, incident, from, to, after, limit }: AlertsQuery,
): Promise<{ alerts: ListedAlert[]; next: string | null }> {
  const table = alertTable;
  const named = { device, zone, rule, severity, incident };
  const last = afterOf(after);
  const rows = await fromStorage(
    "D1",
    drizzle(control)
      .select({ id: table.id, at: table.firedAt, incident: table.incident, body: table.body })
      .from(table)
      .where(
        and(
          eq(table.tenant, tenant),
          state === "active" ? ne(table.state, "resolved") : undefined,
          state === undefined || state === "active" ? undefined : eq(table.state, state),
          ...Object.entries(named).map(([column, value]) =>
            value === undefined ? undefined : eq(table[column as keyof typeof named], value),
          ),
          from === undefined ? undefined : gte(table.firedAt, from),
          to === undefined ? undefined : lt(table.firedAt, to),
          last === undefined ? undefined : sql`(${table.firedAt}, ${table.id}) < (${last.at}, ${last.id})`,
        ),
      )
      .orderBy(desc(table.firedAt), desc(table.id))
      .limit(limit + 1),
  );
  return { alerts: rows.slice(0, limit).map(listed), next: nextOf(rows, limit) };
}

const listed = ({ body, incident }: Row): ListedAlert => ({ ...parse(body), incident });

/** Parses an alert as D1 holds it. @throws ZodError when it is none. */
export const parse = (body: string): Alert => alertSchema.parse(JSON.parse(body));

/**
 * Returns one alert and its history. What its device says counts when that is newer: D1 is told a moment later.
 * @throws Problem `alert_not_found`.
 */
export async function readAlert(env: ApiEnv, tenant: string, id: string): Promise<AlertDetail> {
  const isRow = and(eq(alertTable.tenant, tenant), eq(alertTable.id, id));
  const database = drizzle(env.CONTROL);
  const [rows, history, active] = await Promise.all([
    fromStorage("D1", database.select().from(alertTable).where(isRow)),
    fromStorage(
      "D1",
      database
        .select({
          revision: alertEvent.revision,
          kind: alertEvent.kind,
          at: alertEvent.at,
          by: alertEvent.by,
          text: alertEvent.text,
        })
        .from(alertEvent)
        .where(and(eq(alertEvent.tenant, tenant), eq(alertEvent.alert, id)))
        .orderBy(asc(alertEvent.revision)),
    ),
    activeOn(env, tenant, id),
  ]);
  const stored = rows[0] === undefined ? undefined : parse(rows[0].body);
  const alert = newer(stored, active);
  if (alert === undefined) throw noSuchAlert(id);
  return { alert, incident: rows[0]?.incident ?? null, history: history as AlertDetail["history"] };
}

const newer = (a: Alert | undefined, b: Alert | undefined) =>
  a === undefined || (b !== undefined && b.revision > a.revision) ? b : a;

const noSuchAlert = (id: string) =>
  new Problem("alert_not_found", `no alert ${id}; GET /v1/alerts lists them`);

/** The object of the device that an alert's id names. @throws Problem `alert_not_found`: it names none. */
function objectOf(env: ApiEnv, tenant: string, id: string) {
  const device = deviceOfAlert(id);
  if (device === undefined) throw noSuchAlert(id);
  return env.DEVICE.getByName(`${tenant}/${device}`);
}

const DEVICE_ANSWERS_MS = 2_000;

/** The alert as its device knows it while it is active; a device that does not answer leaves it to D1. */
async function activeOn(env: ApiEnv, tenant: string, id: string): Promise<Alert | undefined> {
  const object = objectOf(env, tenant, id);
  try {
    return (await withDeadline(DEVICE_ANSWERS_MS, id, object.alerts())).find((alert) => alert.id === id);
  } catch (error) {
    console.warn("a device did not say its alerts", { tenant, id, error: String(error) });
    return undefined;
  }
}

/** Has the device act on its alert, and returns its answer. @throws Problem `alert_not_found`: the id names none. */
export async function askDevice(
  env: ApiEnv,
  tenant: string,
  id: string,
  action: AlertAction,
  by: string,
): Promise<AlertAnswer> {
  return await objectOf(env, tenant, id).act(id, action, by);
}

/**
 * Acts on an alert in the name of `by`, and returns it after that.
 * @throws Problem `alert_not_found`, or `conflict`: it is over.
 */
export async function act(
  env: ApiEnv,
  tenant: string,
  id: string,
  action: AlertAction,
  by: string,
): Promise<Alert> {
  const answer = await askDevice(env, tenant, id, action, by);
  if ("alert" in answer) return answer.alert;
  const isRow = and(eq(alertTable.tenant, tenant), eq(alertTable.id, id));
  const [row] = await fromStorage("D1", drizzle(env.CONTROL).select().from(alertTable).where(isRow));
  if (answer.refused === "unknown" && row === undefined) throw noSuchAlert(id);
  const { resolvedAt = null, resolution = null } = row === undefined ? {} : parse(row.body);
  const when =
    resolvedAt === null ? "a moment ago" : `at ${new Date(resolvedAt).toISOString()} (${resolution})`;
  throw new Problem("conflict", `alert ${id} ended ${when}; what is over is not ${PAST[action.kind]}`);
}

const PAST = { ack: "acknowledged", assign: "assigned", comment: "commented", resolve: "resolved" } as const;
