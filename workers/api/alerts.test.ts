import { env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { Alert, AlertAction, Incident, IncidentSnapshot } from "../../schemas/alert.ts";
import type { AlertDetail, ListedAlert, ListedIncident } from "../../schemas/alert-http.ts";
import type { AlertAnswer } from "../../schemas/message.ts";
import { HOUR_MS, problem, T0 } from "../test-support.ts";
import { answerOf, ask, named } from "./api-test-support.ts";

vi.setConfig({ testTimeout: 60_000 });

const alertOf = (id: string, more: Partial<Alert> = {}): Alert => ({
  id,
  revision: 1,
  state: "firing",
  device: id.split(".").slice(3).join("."),
  zone: "north",
  model: null,
  gateway: null,
  rule: {
    id: id.split(".")[0]!,
    version: 1,
    name: "Too hot",
    condition: { type: "threshold", metric: "temp", above: 80 },
    severity: "warning",
    groupWithinMs: 60_000,
    channels: null,
    escalation: [],
  },
  metric: "temp",
  firedAt: T0,
  reading: { at: T0, receivedAt: T0, value: 90 },
  flapping: false,
  acknowledgedAt: null,
  acknowledgedBy: null,
  assignee: null,
  resolvedAt: null,
  resolution: null,
  clearedBy: null,
  ...more,
});

const incidentOf = (id: string, more: Partial<Incident> = {}): Incident => ({
  id,
  revision: 1,
  state: "firing",
  zone: id.slice(0, id.lastIndexOf(".")),
  rule: alertOf("hot.0.1.d1").rule,
  openedAt: T0,
  joinedAt: T0,
  acknowledgedAt: null,
  acknowledgedBy: null,
  resolvedAt: null,
  members: 1,
  active: 1,
  muted: 0,
  escalated: 0,
  ...more,
});

async function store(tenant: string, alert: Alert, incident = "north.1") {
  await env.CONTROL.prepare("INSERT INTO alert VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")
    .bind(
      tenant,
      alert.id,
      incident,
      alert.device,
      alert.zone,
      alert.rule.id,
      alert.rule.severity,
      alert.state,
      alert.firedAt,
      alert.revision,
      JSON.stringify(alert),
    )
    .run();
}

async function storeIncident(tenant: string, incident: Incident) {
  const { id, zone, state, openedAt, revision } = incident;
  await env.CONTROL.prepare("INSERT INTO incident VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)")
    .bind(tenant, id, zone, state, openedAt, revision, JSON.stringify(incident))
    .run();
}

/** Devices that have these alerts, and keep what they are asked to do. */
class FakeDevices {
  readonly asked: [name: string, id: string, action: AlertAction, by: string][] = [];
  readonly #alerts: Record<string, Alert>;
  away: string[] = [];
  atOnce = 0;
  mostAtOnce = 0;

  constructor(...alerts: Alert[]) {
    this.#alerts = Object.fromEntries(alerts.map((alert) => [alert.id, alert]));
  }

  getByName(name: string) {
    return {
      alerts: async () => {
        if (this.away.includes(name)) throw new Error("away");
        return Object.values(this.#alerts).filter(({ device }) => name.endsWith(`/${device}`));
      },
      act: async (id: string, action: AlertAction, by: string): Promise<AlertAnswer> => {
        this.asked.push([name, id, action, by]);
        this.atOnce += 1;
        this.mostAtOnce = Math.max(this.atOnce, this.mostAtOnce);
        await scheduler.wait(1);
        this.atOnce -= 1;
        if (this.away.includes(name)) throw new Error("away");
        const alert = this.#alerts[id];
        if (alert === undefined) return { refused: "unknown" };
        return alert.state === "resolved" ? { refused: "resolved" } : { alert: { ...alert, revision: 9 } };
      },
    };
  }
}

it("[Q7] alerts come in pages, newest first, each once, by any of what they are", async () => {
  const all = Array.from({ length: 23 }, (_, i) =>
    alertOf(`${i % 2 ? "hot" : "cold"}.0.${i}.d${i % 3}`, {
      // Several at the same instant: the cursor is not the instant alone.
      firedAt: T0 + Math.floor(i / 4) * HOUR_MS,
      state: i % 5 === 0 ? "resolved" : i % 5 === 1 ? "acknowledged" : "firing",
      zone: i < 12 ? "north" : "south",
    }),
  );
  for (const alert of all) await store("pages", alert, alert.zone === "north" ? "north.1" : "south.1");
  const sorted = all.toSorted((a, b) => b.firedAt - a.firedAt || (a.id < b.id ? 1 : -1));
  const walk = async (query: string) => {
    const found: ListedAlert[] = [];
    for (let after = ""; ; ) {
      const page = await answerOf<{ alerts: ListedAlert[]; next: string | null }>(
        ask("pages", "viewer", `/v1/alerts?limit=4${query}${after}`),
      );
      expect(page.alerts.length).toBeLessThanOrEqual(4);
      found.push(...page.alerts);
      if (page.next === null) return found.map(({ id }) => id);
      after = `&after=${encodeURIComponent(page.next)}`;
    }
  };
  const which = (fits: (alert: Alert) => boolean) => sorted.filter(fits).map(({ id }) => id);
  expect(await walk("")).toEqual(which(() => true));
  expect(await walk("&state=active")).toEqual(which(({ state }) => state !== "resolved"));
  expect(await walk("&state=acknowledged&zone=north")).toEqual(
    which(({ state, zone }) => state === "acknowledged" && zone === "north"),
  );
  expect(await walk("&device=d1&rule=hot")).toEqual(
    which(({ device, rule }) => device === "d1" && rule.id === "hot"),
  );
  expect(await walk("&incident=south.1")).toEqual(which(({ zone }) => zone === "south"));
  expect(await walk("&severity=critical")).toEqual([]);
  const [from, to] = [T0 + HOUR_MS, T0 + 3 * HOUR_MS];
  expect(await walk(`&from=${from}&to=${new Date(to).toISOString()}`)).toEqual(
    which(({ firedAt }) => firedAt >= from && firedAt < to),
  );
  for (const query of ["state=odd", "severity=bad", "after=yesterday", "limit=0", "from=then", "rule=A.b"]) {
    await problem(ask("pages", "viewer", `/v1/alerts?${query}`), 400, "invalid_query");
  }
});

it("[A38] one alert has its history with who and when; its device knows it first", async () => {
  const stored = alertOf("hot.0.1.d1");
  await store("one", stored);
  await env.CONTROL.batch(
    [
      [1, "fired", T0, null, null],
      [2, "acknowledged", T0 + 5, "Ada", "on it"],
    ].map((event) =>
      env.CONTROL.prepare("INSERT INTO alert_event VALUES ('one', 'hot.0.1.d1', ?, ?, ?, ?, ?)").bind(
        ...event,
      ),
    ),
  );
  const acknowledged = { ...stored, revision: 2, state: "acknowledged" as const, acknowledgedBy: "Ada" };
  const fresh = alertOf("hot.0.2.d1");
  const DEVICE = new FakeDevices(acknowledged, fresh);
  const get = (id: string, bindings: object = { DEVICE }) =>
    ask("one", "viewer", `/v1/alerts/${id}`, { bindings });
  const history = [
    { revision: 1, kind: "fired", at: T0, by: null, text: null },
    { revision: 2, kind: "acknowledged", at: T0 + 5, by: "Ada", text: "on it" },
  ];
  expect(await answerOf<AlertDetail>(get(stored.id))).toEqual({
    alert: acknowledged,
    incident: "north.1",
    history,
  });
  expect(await answerOf<AlertDetail>(get(fresh.id))).toEqual({ alert: fresh, incident: null, history: [] });
  DEVICE.away = ["one/d1"];
  expect(await answerOf<AlertDetail>(get(stored.id))).toEqual({
    alert: stored,
    incident: "north.1",
    history,
  });
  for (const id of ["hot.0.9.d1", "hot.0.1.d2", "nonsense", "hot.0.1.d1%2Fx"]) {
    expect((await problem(get(id, {}), 404, "alert_not_found")).detail).toMatch("GET /v1/alerts lists them");
  }
});

it("[A38] [A47] a person's action is the device's to decide, under the name of the token, else its role", async () => {
  const DEVICE = new FakeDevices(alertOf("hot.0.1.a.b:c-1"));
  const post = (action: string, body?: unknown, headers = {}) =>
    ask("acts", "operator", `/v1/alerts/hot.0.1.a.b:c-1/${action}`, {
      method: "POST",
      body,
      headers,
      bindings: { DEVICE },
    });
  expect(await answerOf(post("ack"))).toMatchObject({ id: "hot.0.1.a.b:c-1", revision: 9 });
  const ada = await named("acts", "operator", "Ada");
  await answerOf(post("ack", { text: "on it" }, ada));
  await answerOf(post("assign", { to: "Bob" }, ada));
  await answerOf(post("comment", { text: "the fan is broken" }, ada));
  await answerOf(post("resolve", {}, ada));
  expect(DEVICE.asked).toEqual([
    ["acts/a.b:c-1", "hot.0.1.a.b:c-1", { kind: "ack" }, "operator"],
    ["acts/a.b:c-1", "hot.0.1.a.b:c-1", { kind: "ack", text: "on it" }, "Ada"],
    ["acts/a.b:c-1", "hot.0.1.a.b:c-1", { kind: "assign", to: "Bob" }, "Ada"],
    ["acts/a.b:c-1", "hot.0.1.a.b:c-1", { kind: "comment", text: "the fan is broken" }, "Ada"],
    ["acts/a.b:c-1", "hot.0.1.a.b:c-1", { kind: "resolve" }, "Ada"],
  ]);
  const refused: [action: string, body: unknown, code: string, says: RegExp][] = [
    ["assign", undefined, "invalid_body", /to.*expected string/],
    ["assign", { to: "" }, "invalid_body", /to.*>=1.*not ""/],
    ["comment", {}, "invalid_body", /text/],
    ["comment", { text: "x".repeat(2_001) }, "invalid_body", /text.*<=2000/],
    ["ack", { note: "x" }, "invalid_body", /note/],
    ["ack", "{", "malformed_json", /not JSON/],
  ];
  for (const [action, body, code, says] of refused) {
    expect((await problem(post(action, body), 400, code)).detail).toMatch(says);
  }
  expect(DEVICE.asked).toHaveLength(5);
  await problem(post("explode"), 404, "not_found");
});

it("[A13] what is over is not acknowledged: the answer says when it ended; what never was is not found", async () => {
  const over = alertOf("hot.0.1.d1", { state: "resolved", resolvedAt: T0 + 7, resolution: "cleared" });
  await store("over", over);
  await store("over", { ...over, id: "hot.0.2.d1" });
  const bindings = { DEVICE: new FakeDevices(over) };
  const ack = (id: string) => ask("over", "operator", `/v1/alerts/${id}/ack`, { method: "POST", bindings });
  for (const id of [over.id, "hot.0.2.d1"]) {
    const { detail } = await problem(ack(id), 409, "conflict");
    expect(detail).toMatch(/ended at 2026-11-22T10:00:00.007Z \(cleared\).*acknowledged/);
  }
  for (const id of ["hot.0.3.d1", "nonsense"]) await problem(ack(id), 404, "alert_not_found");
});

it("[A23] an incident lists every member: as its zone knows it, else as D1 does; incidents come in pages", async () => {
  const members = Array.from({ length: 1_100 }, (_, i) => alertOf(`hot.0.1.d${i}`, { firedAt: T0 + i }));
  const rows = JSON.stringify(
    members.map((alert) => ({ id: alert.id, firedAt: alert.firedAt, body: JSON.stringify(alert) })),
  );
  await env.CONTROL.prepare(
    `INSERT INTO alert SELECT 'outage', value ->> 'id', 'a.b.1', 'd', 'a.b', 'hot', 'warning', 'firing', value ->> 'firedAt', 1,
       value ->> 'body' FROM json_each(?1)`,
  )
    .bind(rows)
    .run();
  const stored = incidentOf("a.b.1", { members: 1_100, active: 1_100 });
  await storeIncident("outage", stored);
  await storeIncident(
    "outage",
    incidentOf("a.b.2", { openedAt: T0 + 1, state: "resolved", resolvedAt: T0 + 2 }),
  );
  const get = (id: string, bindings = {}) =>
    answerOf<IncidentSnapshot>(ask("outage", "viewer", `/v1/incidents/${id}`, { bindings }));
  const known = { incident: { ...stored, revision: 2 }, alerts: members.slice(0, 1) };
  const asked: string[] = [];
  const zone = (incident: () => Promise<IncidentSnapshot | null>) => ({
    ZONE: {
      getByName(name: string) {
        asked.push(name);
        return { incident };
      },
    },
  });
  expect(
    await get(
      "a.b.1",
      zone(async () => known),
    ),
  ).toEqual({ ...known, names: {} });
  expect(asked).toEqual(["outage/a.b"]);
  for (const incident of [async () => null, () => Promise.reject(new Error("away"))]) {
    const found = await get("a.b.1", zone(incident));
    expect(found.incident).toEqual(stored);
    expect(found.alerts).toEqual(members);
  }
  for (const id of ["a.b.9", "nonsense", ".1"]) {
    await problem(ask("outage", "viewer", `/v1/incidents/${id}`), 404, "incident_not_found");
  }
  const page = (query: string) =>
    answerOf<{ incidents: Incident[]; next: string | null }>(
      ask("outage", "viewer", `/v1/incidents?${query}`),
    );
  const first = await page("limit=1");
  expect(first.incidents.map(({ id }) => id)).toEqual(["a.b.2"]);
  const second = await page(`limit=1&after=${encodeURIComponent(first.next!)}`);
  expect([second.incidents.map(({ id }) => id), second.next]).toEqual([["a.b.1"], null]);
  expect((await page("state=active&zone=a.b")).incidents).toMatchObject([stored]);
  expect((await page(`from=${T0 + 1}`)).incidents.map(({ id }) => id)).toEqual(["a.b.2"]);
});

it("[A54] [L16] an incident is listed with an active member: its device's name and its value; a deleted device has none", async () => {
  await ask("leads", "operator", "/v1/devices/d2", { method: "PUT", body: { name: "Pump two" } });
  const over = { state: "resolved", resolvedAt: T0 + 1, resolution: "cleared" } as const;
  await store("leads", alertOf("hot.0.1.d1", over), "north.1");
  await store("leads", alertOf("hot.0.1.d2"), "north.1");
  await store("leads", alertOf("hot.0.2.d1", over), "north.2");
  await store("strangers", alertOf("hot.0.1.d2"), "north.3");
  for (const [i, id] of ["north.3", "north.2", "north.1"].entries()) {
    await storeIncident("leads", incidentOf(id, { openedAt: T0 + i }));
  }
  const { incidents } = await answerOf<{ incidents: ListedIncident[] }>(
    ask("leads", "viewer", "/v1/incidents"),
  );
  expect(incidents.map(({ id, lead }) => [id, lead])).toEqual([
    [
      "north.1",
      {
        device: "d2",
        deviceName: "Pump two",
        state: "firing",
        metric: "temp",
        reading: { at: T0, receivedAt: T0, value: 90 },
        clearedBy: null,
        firedAt: T0,
      },
    ],
    ["north.2", expect.objectContaining({ device: "d1", deviceName: null, state: "resolved" })],
    ["north.3", null],
  ]);
  expect(await answerOf(ask("leads", "viewer", "/v1/incidents/north.1"))).toMatchObject({
    names: { d2: "Pump two" },
  });
});

it("[A38] an action on an incident goes to all its active members, fifty at once, and says what became of each", async () => {
  const members = Array.from({ length: 120 }, (_, i) => alertOf(`hot.0.1.d${i}`));
  const ended = alertOf("hot.0.1.ended", { state: "resolved" });
  const gone = alertOf("hot.0.1.gone");
  const devices = new FakeDevices(...members);
  devices.away = ["crowd/d7"];
  const bindings = {
    DEVICE: devices,
    ZONE: {
      getByName: () => ({
        incident: async () => ({ incident: incidentOf("north.1"), alerts: [...members, ended, gone] }),
      }),
    },
  };
  const ack = ask("crowd", "operator", "/v1/incidents/north.1/ack", { method: "POST", bindings });
  expect(await answerOf(ack)).toEqual({ done: 119, refused: 1, missing: ["hot.0.1.d7"] });
  expect(devices.asked).toHaveLength(121);
  expect(devices.mostAtOnce).toBe(50);
  const none = ask("crowd", "operator", "/v1/incidents/south.1/ack", { method: "POST" });
  await problem(none, 404, "incident_not_found");
});

it("[I5] another tenant's alerts and incidents do not exist for the caller", async () => {
  await store("alert-owner", alertOf("hot.0.1.d1"));
  await storeIncident("alert-owner", incidentOf("north.1"));
  expect((await ask("alert-owner", "viewer", "/v1/alerts/hot.0.1.d1")).status).toBe(200);
  expect((await ask("alert-owner", "viewer", "/v1/incidents/north.1")).status).toBe(200);
  expect(await answerOf(ask("alert-stranger", "admin", "/v1/alerts"))).toEqual({ alerts: [], next: null });
  expect(await answerOf(ask("alert-stranger", "admin", "/v1/incidents"))).toEqual({
    incidents: [],
    next: null,
  });
  await problem(ask("alert-stranger", "admin", "/v1/alerts/hot.0.1.d1"), 404, "alert_not_found");
  await problem(ask("alert-stranger", "admin", "/v1/incidents/north.1"), 404, "incident_not_found");
  for (const [path, code] of [
    ["alerts/hot.0.1.d1", "alert_not_found"],
    ["incidents/north.1", "incident_not_found"],
  ] as const) {
    await problem(ask("alert-stranger", "admin", `/v1/${path}/ack`, { method: "POST" }), 404, code);
  }
});
