// The alerts of a deleted device in D1: gone with their history, counted by their incident, and never back.
import { env } from "cloudflare:test";
import { expect, it } from "vitest";
import { fired, firing, resolved, T0 } from "../../../../core/alert/incident-test-support.ts";
import type { Alert, Incident } from "../../../../schemas/alert.ts";
import { storeAlerts } from "../../queues/store-alerts.ts";
import { eraseAlerts, zonesToTell } from "./delete-alerts.ts";

/** A device's name may look like the rest of an id. */
const GONE = "pump.7.1";
const LAST_LIFE = 1_764_530_000_001;

const alertOf = (device: string, generation: number, episode = 1): Alert =>
  firing(device, 0, { id: `hot.${generation}.${episode}.${device}` });

const incidentOf = (members: readonly Alert[], revision = 1): Incident => ({
  ...{
    id: "north.1",
    revision,
    state: "resolved",
    zone: "north",
    rule: members[0]!.rule,
    openedAt: T0,
    joinedAt: T0,
  },
  ...{ acknowledgedAt: null, acknowledgedBy: null, resolvedAt: T0 + 1, active: 0, muted: 0, escalated: 0 },
  members: members.length,
});

const messageOf = (tenant: string, members: readonly Alert[]) => ({
  tenant,
  events: members
    .flatMap((alert) => [fired(alert), resolved(alert, 1)])
    .map((event) => ({ ...event, incident: "north.1" })),
  incidents: [incidentOf(members)],
});

async function rowsOf(tenant: string) {
  const [alerts, events, incidents] = await env.CONTROL.batch<Record<string, unknown>>(
    [
      "SELECT id FROM alert WHERE tenant = ? ORDER BY id",
      "SELECT DISTINCT alert FROM alert_event WHERE tenant = ? ORDER BY alert",
      "SELECT nameless, body ->> 'members' AS members FROM incident WHERE tenant = ?",
    ].map((sql) => env.CONTROL.prepare(sql).bind(tenant)),
  );
  return {
    alerts: alerts!.results.map(({ id }) => id),
    events: events!.results.map(({ alert }) => alert),
    incidents: incidents!.results,
  };
}

it("[A48] [A49] its alerts and their history go, more than fit one transaction; the incident counts them without a name", async () => {
  const own = Array.from({ length: 700 }, (_, i) => alertOf(GONE, i % 2 === 0 ? 0 : LAST_LIFE, i));
  const other = alertOf("pump-2", 0);
  await storeAlerts(env.CONTROL, messageOf("erased", [...own, other]));
  await storeAlerts(env.CONTROL, messageOf("erased-not", [alertOf(GONE, 0)]));
  expect(await zonesToTell(env.CONTROL, "erased", GONE)).toEqual(["north"]);
  let erased = 0;
  for (let some = -1; some !== 0; erased += some)
    some = await eraseAlerts(env.CONTROL, "erased", GONE, LAST_LIFE);
  expect(erased).toBe(700);
  expect(await rowsOf("erased")).toEqual({
    alerts: [other.id],
    events: [other.id],
    incidents: [{ nameless: 700, members: 701 }],
  });
  expect(await rowsOf("erased-not")).toMatchObject({ incidents: [{ nameless: 0 }] });
  expect((await rowsOf("erased-not")).alerts).toHaveLength(1);
});

it("[A50] a message of the ended life that comes again brings nothing back, and one of the next life is taken", async () => {
  const old = alertOf(GONE, LAST_LIFE);
  const message = messageOf("late", [old]);
  await storeAlerts(env.CONTROL, message);
  await eraseAlerts(env.CONTROL, "late", GONE, LAST_LIFE);
  const next = alertOf(GONE, LAST_LIFE + 1);
  const later = messageOf("late", [old, next]);
  await storeAlerts(env.CONTROL, { ...later, incidents: [incidentOf([old, next], 2)] });
  await storeAlerts(env.CONTROL, message);
  expect(await rowsOf("late")).toEqual({
    alerts: [next.id],
    events: [next.id],
    incidents: [{ nameless: 1, members: 2 }],
  });
  // The deletion's steps made once more leave the next life alone.
  expect(await eraseAlerts(env.CONTROL, "late", GONE, LAST_LIFE)).toBe(0);
  expect((await rowsOf("late")).alerts).toEqual([next.id]);
});
