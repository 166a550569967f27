// What happened to alerts of one zone → D1's incidents, alerts and their history, in one transaction.
import type { EventsMessage } from "../../../schemas/alert.ts";
import { WHOLE_TENANT } from "../../../schemas/tables.ts";
import { lifeOfAlert } from "../life-of-alert.ts";

/** Of a life of its device that was deleted with its alerts, or with its tenant. */
const IS_OVER = `
  EXISTS (SELECT 1 FROM alert_tombstone AS gone WHERE gone.tenant = ?1 AND gone.device IN (value ->> '$.alert.device', '${WHOLE_TENANT}')
    AND gone.generation >= ${lifeOfAlert("(value ->> '$.alert.id')")})`;

/** Rows travel as one JSON text: a statement takes a hundred parameters (D1 limits, 2026-11), and a message has sixty events.
 * Of a tenant that was deleted an incident is taken that opened since, or has living alerts, or is the one that is known. */
const UPSERT_INCIDENTS = `
  INSERT INTO incident (tenant, id, zone, state, opened_at, revision, body)
  SELECT ?1, value ->> 'id', value ->> 'zone', value ->> 'state', value ->> 'openedAt', value ->> 'revision', value
  FROM json_each(?2) AS told
  WHERE NOT EXISTS (SELECT 1 FROM alert_tombstone WHERE tenant = ?1 AND device = '${WHOLE_TENANT}' AND generation >= told.value ->> 'openedAt')
    OR EXISTS (SELECT 1 FROM incident AS known WHERE known.tenant = ?1 AND known.id = told.value ->> 'id' AND known.opened_at = told.value ->> 'openedAt')
    OR EXISTS (SELECT 1 FROM json_each(?3) WHERE value ->> 'incident' = told.value ->> 'id' AND NOT ${IS_OVER})
  ON CONFLICT (tenant, id) DO UPDATE SET zone = excluded.zone, state = excluded.state, opened_at = excluded.opened_at,
    revision = excluded.revision, body = excluded.body
  WHERE excluded.revision > incident.revision`;

const UPSERT_ALERTS = `
  INSERT INTO alert (tenant, id, incident, device, zone, rule, severity, state, fired_at, revision, body)
  SELECT ?1, value ->> '$.alert.id', value ->> 'incident', value ->> '$.alert.device', value ->> '$.alert.zone',
    value ->> '$.alert.rule.id', value ->> '$.alert.rule.severity', value ->> '$.alert.state', value ->> '$.alert.firedAt',
    value ->> '$.alert.revision', value -> 'alert'
  FROM json_each(?2) WHERE NOT ${IS_OVER}
  ON CONFLICT (tenant, id) DO UPDATE SET incident = excluded.incident, device = excluded.device, zone = excluded.zone,
    rule = excluded.rule, severity = excluded.severity, state = excluded.state, fired_at = excluded.fired_at,
    revision = excluded.revision, body = excluded.body
  WHERE excluded.revision > alert.revision`;

/** An event is numbered by the revision of its alert, so one that comes again is known. */
const INSERT_EVENTS = `
  INSERT INTO alert_event (tenant, alert, revision, kind, at, by, text)
  SELECT ?1, value ->> '$.alert.id', value ->> '$.alert.revision', value ->> 'kind', value ->> 'at', value ->> 'by',
    value ->> 'text'
  FROM json_each(?2) WHERE NOT ${IS_OVER} ON CONFLICT DO NOTHING`;

/**
 * Writes events and incidents of one zone into D1, in one transaction. In whatever order and however often messages
 * come, a lower revision never replaces a higher one, and nothing of a deleted device comes back.
 * @throws when D1 fails.
 */
export async function storeAlerts(
  database: D1Database,
  { tenant, events, incidents }: Pick<EventsMessage, "tenant" | "events" | "incidents">,
): Promise<void> {
  const rows = JSON.stringify(events);
  await database.batch([
    database.prepare(UPSERT_INCIDENTS).bind(tenant, JSON.stringify(incidents), rows),
    database.prepare(UPSERT_ALERTS).bind(tenant, rows),
    database.prepare(INSERT_EVENTS).bind(tenant, rows),
  ]);
}
