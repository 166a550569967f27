// Alerts of a deleted device → gone from D1, with what people did about them; their incidents count them still.
import { lifeOfAlert } from "../../life-of-alert.ts";

/** Deleted in one transaction. */
const AT_ONCE = 500;

/** Returns the zones that may know alerts of the device. Reads a row an alert. @throws when D1 fails. */
export async function zonesToTell(control: D1Database, tenant: string, device: string): Promise<string[]> {
  const { results } = await control
    .prepare("SELECT DISTINCT zone FROM alert WHERE tenant = ?1 AND device = ?2")
    .bind(tenant, device)
    .all<{ zone: string }>();
  return results.map(({ zone }) => zone);
}

/**
 * Deletes at most 500 alerts of the device's lives up to `generation`. Returns how many; 0: none is left, and none
 * will be stored any more. An incident counts each as a member without a name. Writes two rows an alert, one an event
 * and one an incident.
 * @throws when D1 fails.
 */
export async function eraseAlerts(
  control: D1Database,
  tenant: string,
  device: string,
  generation: number,
): Promise<number> {
  const results = await control.batch(
    [SET_TOMBSTONE, COUNT_NAMELESS, DELETE_EVENTS, DELETE_ALERTS].map((sql) =>
      control.prepare(sql).bind(tenant, device, generation),
    ),
  );
  return results.at(-1)!.meta.changes;
}

const SET_TOMBSTONE = `
  INSERT INTO alert_tombstone (tenant, device, generation) VALUES (?1, ?2, ?3) ON CONFLICT (tenant, device)
  DO UPDATE SET generation = excluded.generation WHERE excluded.generation > generation`;
const ALERTS = (column: "id" | "incident") => `
  SELECT ${column} FROM alert WHERE tenant = ?1 AND device = ?2 AND ${lifeOfAlert("id")} <= ?3
  ORDER BY fired_at, id LIMIT ${AT_ONCE}`;
const COUNT_NAMELESS = `
  UPDATE incident SET nameless = nameless
    + (SELECT count(*) FROM (${ALERTS("incident")}) AS member WHERE member.incident = incident.id)
  WHERE tenant = ?1 AND id IN (${ALERTS("incident")})`;
const DELETE_EVENTS = `DELETE FROM alert_event WHERE tenant = ?1 AND alert IN (${ALERTS("id")})`;
const DELETE_ALERTS = `DELETE FROM alert WHERE tenant = ?1 AND id IN (${ALERTS("id")})`;
