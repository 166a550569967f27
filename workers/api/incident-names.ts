// Incidents' ids → what people call them by: the rule, and a device with its value.
import { type LeadAlert, leadAlert } from "../../schemas/alert-http.ts";
import { fromStorage } from "./storage.ts";

/** Members looked at for one that is active: an incident of thousands costs no more than one of ten. */
const LOOKED_AT_MAX = 10;

/**
 * Returns the member to show each incident by; an incident without alerts has none. Reads at most 21 rows an
 * incident.
 */
export async function readLeads(
  control: D1Database,
  tenant: string,
  incidents: readonly string[],
): Promise<Map<string, LeadAlert>> {
  if (incidents.length === 0) return new Map();
  const select = control.prepare(LEADS).bind(tenant, JSON.stringify(incidents));
  const { results } = await fromStorage("D1", select.all<{ incident: string; body: string; name: string }>());
  return new Map(
    results.map(({ incident, body, name }) => [
      incident,
      leadAlert.parse({ ...JSON.parse(body), deviceName: name }),
    ]),
  );
}

const LEADS = `
  WITH lead AS (
    SELECT value AS incident, (
      SELECT body FROM (
        SELECT state, body FROM alert WHERE tenant = ?1 AND incident = value ORDER BY id LIMIT ${LOOKED_AT_MAX}
      ) ORDER BY state = 'resolved' LIMIT 1
    ) AS body FROM json_each(?2)
  )
  SELECT incident, body, name FROM lead LEFT JOIN device ON tenant = ?1 AND device = body ->> 'device'
  WHERE body IS NOT NULL`;

/** Returns the name of each incident's rule, as its newest alert had it. Reads a row an incident. */
export async function readRuleNames(
  control: D1Database,
  tenant: string,
  incidents: readonly string[],
): Promise<Map<string, string>> {
  if (incidents.length === 0) return new Map();
  const select = control
    .prepare(
      `SELECT incident.id, body ->> '$.rule.name' AS name
       FROM json_each(?2) JOIN incident ON tenant = ?1 AND incident.id = value`,
    )
    .bind(tenant, JSON.stringify([...new Set(incidents)]));
  const { results } = await fromStorage("D1", select.all<{ id: string; name: string }>());
  return new Map(results.map(({ id, name }) => [id, name]));
}
