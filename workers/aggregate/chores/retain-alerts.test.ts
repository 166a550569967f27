import { env } from "cloudflare:test";
import { expect, it } from "vitest";
import { fired, firing, resolved, T0 } from "../../../core/alert/incident-test-support.ts";
import type { Incident } from "../../../schemas/alert.ts";
import type { AggregateEnv } from "../env.ts";
import { storeAlerts } from "../queues/store-alerts.ts";
import { ALERTS_KEPT_MS, retainAlerts } from "./retain-alerts.ts";

const aggregateEnv = env as unknown as AggregateEnv;
const DAY_MS = 86_400_000;
const turn = { env: aggregateEnv, cursor: "", untilMs: Number.POSITIVE_INFINITY };

/** An incident of `count` devices that began so long ago. */
async function store(tenant: string, name: string, agoMs: number, isOver: boolean, count = 1): Promise<void> {
  const openedAt = Date.now() - agoMs;
  const alerts = Array.from({ length: count }, (_, i) => firing(`${name}-${i}`, openedAt - T0));
  const events = alerts.flatMap((alert) => [
    fired(alert),
    ...(isOver ? [resolved(alert, openedAt - T0 + 1)] : []),
  ]);
  const counts = { members: count, active: 0, muted: 0, escalated: 0 };
  const incident: Incident = {
    ...{
      id: `north.${name}`,
      revision: 1,
      zone: "north",
      rule: alerts[0]!.rule,
      openedAt,
      joinedAt: openedAt,
    },
    ...{ acknowledgedAt: null, acknowledgedBy: null, resolvedAt: isOver ? openedAt + 1 : null, ...counts },
    state: isOver ? "resolved" : "firing",
  };
  const own = events.map((event) => ({ ...event, incident: incident.id }));
  await storeAlerts(env.CONTROL, { tenant, events: own, incidents: [incident] });
}

const rows = async (tenant: string, column: string, table: string) => {
  const select = env.CONTROL.prepare(
    `SELECT DISTINCT ${column} AS name FROM ${table} WHERE tenant = ? ORDER BY 1`,
  );
  return (await select.bind(tenant).all<{ name: string }>()).results.map(({ name }) => name);
};

it("[A39] what ended long ago goes, of every tenant; what still fires, or is younger, stays", async () => {
  const long = ALERTS_KEPT_MS + DAY_MS;
  for (const tenant of ["retained-a", "retained-b"]) {
    await store(tenant, "old", long, true, 700);
    await store(tenant, "firing", long, false);
    await store(tenant, "young", ALERTS_KEPT_MS - DAY_MS, true);
  }
  expect(await retainAlerts(turn)).toBe("");
  for (const tenant of ["retained-a", "retained-b"]) {
    expect(await rows(tenant, "id", "incident")).toEqual(["north.firing", "north.young"]);
    expect(await rows(tenant, "device", "alert")).toEqual(["firing-0", "young-0"]);
    expect(await rows(tenant, "alert", "alert_event")).toEqual(["hot.0.1.firing-0", "hot.0.1.young-0"]);
  }
});

it("[A39] a turn that ends goes on with the same tenant", async () => {
  await store("retained-c", "old", ALERTS_KEPT_MS + DAY_MS, true);
  const cursor = await retainAlerts({ ...turn, untilMs: 0 });
  expect(cursor).not.toBe("");
  expect(await rows("retained-c", "id", "incident")).toEqual(["north.old"]);
  await retainAlerts({ ...turn, cursor });
  expect(await rows("retained-c", "id", "incident")).toEqual([]);
});
