// Alerts and incidents that ended long ago → gone from D1, with what people did about them.
import { wallMs } from "../../clock.ts";
import { withDeadline } from "../../with-deadline.ts";
import type { Turn } from "./chores.ts";
import { firstTenant, goRound } from "./go-round.ts";

/**
 * How long alerts and incidents are kept after they began. CONTROL holds 10 GB (D1 limits, 2026-11): ten thousand
 * alerts a day of 2 KB, indices and history included.
 */
export const ALERTS_KEPT_MS = 400 * 86_400_000;
/** Deleted in one transaction. */
const AT_ONCE = 500;
const D1_ANSWERS_MS = 60_000;
const SHARE_MS = 10_000;

/**
 * Deletes alerts and incidents past their age, of one tenant after another. Returns the cursor; "" when all are seen to.
 * What still fires stays, and so does its incident.
 * @throws when D1 does not say who is next.
 */
export function retainAlerts(turn: Turn): Promise<string> {
  const { CONTROL } = turn.env;
  const beforeMs = wallMs() - ALERTS_KEPT_MS;
  return goRound<true>(turn, {
    name: "retain-alerts",
    shareMs: SHARE_MS,
    next: (after) => firstTenant([CONTROL], NEXT_TENANT, after),
    advance: async (tenant, _place, untilMs) => {
      for (;;) {
        if (wallMs() >= untilMs) return true;
        if (await deleteSome(CONTROL, tenant, beforeMs)) return undefined;
      }
    },
  });
}

/** True when nothing is left to delete. */
async function deleteSome(control: D1Database, tenant: string, beforeMs: number): Promise<boolean> {
  const results = await withDeadline(
    D1_ANSWERS_MS,
    "D1",
    control.batch(
      [DELETE_EVENTS, DELETE_ALERTS, DELETE_INCIDENTS].map((sql) =>
        control.prepare(sql).bind(tenant, beforeMs),
      ),
    ),
  );
  return results.every(({ meta }) => meta.changes === 0);
}

const NEXT_TENANT = "SELECT min(tenant) AS tenant FROM incident WHERE tenant > ?1";
const ALERTS = `
  SELECT id FROM alert WHERE tenant = ?1 AND fired_at < ?2 AND state = 'resolved' ORDER BY fired_at, id LIMIT ${AT_ONCE}`;
const DELETE_EVENTS = `DELETE FROM alert_event WHERE tenant = ?1 AND alert IN (${ALERTS})`;
const DELETE_ALERTS = `DELETE FROM alert WHERE tenant = ?1 AND id IN (${ALERTS})`;
const DELETE_INCIDENTS = `
  DELETE FROM incident WHERE tenant = ?1 AND id IN (
    SELECT id FROM incident WHERE tenant = ?1 AND opened_at < ?2 AND state = 'resolved'
      AND NOT EXISTS (SELECT 1 FROM alert WHERE alert.tenant = ?1 AND alert.incident = incident.id)
    ORDER BY opened_at, id LIMIT ${AT_ONCE})`;
