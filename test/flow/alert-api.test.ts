// Rules, channels and silences as operators write them, and the life of an alert through the front door.
import { expect, it } from "vitest";
import { signToken } from "../../core/token/sign.ts";
import type { Alert, Incident, Rule } from "../../schemas/alert.ts";
import type { AlertDetail, ListedAlert } from "../../schemas/alert-http.ts";
import type { Silence } from "../../schemas/channel.ts";
import type { Role } from "../../schemas/token.ts";
import { runScript } from "./run-script.ts";
import { type Answer, problemOf, type TenantClient } from "./tenant-client.ts";
import { eachSharedTopology } from "./topology.ts";
import { until } from "./until.ts";

const hot = { id: "hot", name: "Too hot", condition: { type: "threshold", metric: "temp", above: 80 } };
const hook = {
  id: "hook",
  name: "Hook",
  target: { type: "webhook", url: "https://example.com/x", secret: "s3cret" },
};
const quiet = { comment: "the pump is being replaced", endsAt: null };

const send = async (
  tenant: TenantClient,
  [method, path]: readonly [method: string, path: string],
  role: Role,
  body?: unknown,
): Promise<Answer> =>
  tenant.ask(path, {
    method,
    token: await tenant.token(role),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

eachSharedTopology((server) => {
  const acme = () => server.tenant("acme");

  it("[A2] [A28] [A29] what is written is listed, changed and deleted", async () => {
    const made = await send(acme(), ["POST", "/v1/channels"], "admin", hook);
    expect(made).toMatchObject({ status: 201, body: { id: "hook", target: { secret: "•••" } } });
    const rule = await send(acme(), ["POST", "/v1/rules"], "operator", { ...hot, channels: ["hook"] });
    expect(rule).toMatchObject({ status: 201, body: { id: "hot", version: 1, updatedBy: "operator" } });
    const changed = { ...(rule.body as Rule), forMs: 5_000 };
    expect((await send(acme(), ["PUT", "/v1/rules/hot"], "operator", changed)).body).toMatchObject({
      version: 2,
    });
    expect((await acme().get("/v1/rules")).body).toMatchObject({
      rules: [{ id: "hot", version: 2, forMs: 5_000 }],
    });
    const kept = problemOf(await send(acme(), ["DELETE", "/v1/channels/hook"], "admin"));
    expect(kept).toMatchObject({
      code: "conflict",
      detail: expect.stringMatching(/named by the rules hot;/),
    });
    const silence = (await send(acme(), ["POST", "/v1/silences"], "operator", quiet)).body as Silence;
    const ended = await send(acme(), ["DELETE", `/v1/silences/${silence.id}`], "operator");
    expect(ended).toMatchObject({ status: 200, body: { id: silence.id, endsAt: expect.any(Number) } });
    expect((await send(acme(), ["DELETE", "/v1/rules/hot"], "operator")).status).toBe(200);
    expect((await send(acme(), ["DELETE", "/v1/channels/hook"], "admin")).status).toBe(200);
    expect((await acme().get("/v1/rules")).body).toEqual({ rules: [] });
  });

  it.each<[request: readonly [string, string], body: unknown, code: string, says: RegExp]>([
    [
      ["POST", "/v1/rules"],
      { ...hot, condition: { type: "threshold", metric: "temp" } },
      "invalid_rule",
      /never fire; give one/,
    ],
    [
      ["POST", "/v1/rules"],
      { ...hot, condition: { ...hot.condition, clear: 81 } },
      "invalid_rule",
      /\(81\).*at most 80/,
    ],
    [
      ["POST", "/v1/rules"],
      { ...hot, forMs: 604_800_001 },
      "invalid_rule",
      /forMs.*<=604800000, not 604800001/,
    ],
    [["POST", "/v1/rules"], { ...hot, channels: ["nobody"] }, "invalid_rule", /nobody; GET \/v1\/channels/],
    [["PUT", "/v1/rules/never"], hot, "invalid_rule", /id: hot is not never/],
    [["PUT", "/v1/rules/hot"], hot, "rule_not_found", /hot; GET \/v1\/rules/],
    [["POST", "/v1/rules/preview"], { rule: hot, from: 2, to: 1 }, "invalid_body", /"from" is before "to"/],
    [
      ["POST", "/v1/channels"],
      { ...hook, target: { type: "slack", url: "https://192.168.1.1/x" } },
      "invalid_target",
      /192\.168\.1\.1 is private; give/,
    ],
    [["POST", "/v1/channels"], { ...hook, perHourMax: 0 }, "invalid_body", /perHourMax.*>=1, not 0/],
    [["POST", "/v1/silences"], { ...quiet, endsAt: 5 }, "invalid_body", /endsAt: 5 is over; now it is \d+/],
    [["POST", "/v1/silences"], { endsAt: null }, "invalid_body", /comment/],
    [["POST", "/v1/alerts/hot.0.1.d1/ack"], undefined, "alert_not_found", /GET \/v1\/alerts/],
    [["POST", "/v1/alerts/hot.0.1.d1/assign"], { to: 7 }, "invalid_body", /to.*expected string.*not 7/],
    [["POST", "/v1/incidents/default.1/resolve"], undefined, "incident_not_found", /GET \/v1\/incidents/],
    [["GET", "/v1/alerts?state=bad"], undefined, "invalid_query", /state.*not "bad"/],
  ])(
    "[A1] [A35] [Q6] %j with %j is refused with the value, the limit and the remedy",
    async (request, body, code, says) => {
      const document = problemOf(await send(server.tenant("bad"), request, "admin", body));
      expect(document).toMatchObject({ code, detail: expect.stringMatching(says) });
    },
  );

  it("[I4] viewers read, operators act, admins say where people are told", async () => {
    const acts: [request: readonly [string, string], body: object | undefined, least: Role][] = [
      [["GET", "/v1/rules"], undefined, "viewer"],
      [["GET", "/v1/alerts"], undefined, "viewer"],
      [["GET", "/v1/incidents"], undefined, "viewer"],
      [["GET", "/v1/silences"], undefined, "viewer"],
      [["GET", "/v1/channels"], undefined, "operator"],
      [["POST", "/v1/rules"], { ...hot, id: undefined }, "operator"],
      [["POST", "/v1/silences"], quiet, "operator"],
      [["POST", "/v1/channels"], { ...hook, id: undefined }, "admin"],
    ];
    const roles: Role[] = ["viewer", "operator", "admin"];
    for (const [request, body, least] of acts) {
      for (const role of roles) {
        const { status } = await send(server.tenant("roles"), request, role, body);
        const isAllowed = roles.indexOf(role) >= roles.indexOf(least);
        expect([request, role, status]).toEqual([request, role, isAllowed ? (body ? 201 : 200) : 403]);
      }
    }
  });

  it("[A46] [A12] [A38] [A47] a rule is tried, fires, is acknowledged under a name, commented, and resolved; others see nothing", async () => {
    const tenant = server.tenant("life");
    const start = Date.now() - 60_000;
    await tenant.send(
      [20, 95, 20].map((temp, i) => ({ at: start + i * 1_000, metrics: { temp } })),
      "pump-1",
    );
    const tried = await send(tenant, ["POST", "/v1/rules/preview"], "viewer", {
      rule: { name: hot.name, condition: hot.condition },
      device: "pump-1",
      from: start,
      to: Date.now() + 1,
    });
    expect(tried).toMatchObject({
      status: 200,
      body: { readings: 3, devices: [{ episodes: [{ firedAt: start + 1_000, resolvedAt: start + 2_000 }] }] },
    });
    expect((await send(tenant, ["POST", "/v1/rules"], "operator", hot)).status).toBe(201);
    await tenant.send({ metrics: { temp: 91 } }, "pump-1");
    const listed = await until("the alert in the list", async () => {
      const { alerts } = (await tenant.get("/v1/alerts?state=active")).body as { alerts: ListedAlert[] };
      return alerts[0];
    });
    expect(listed).toMatchObject({
      state: "firing",
      device: "pump-1",
      rule: { id: "hot" },
      reading: { value: 91 },
    });
    const ada = await signToken(
      { tenant: tenant.tenant, role: "operator", sub: "Ada", ttlSeconds: 60 },
      server.run.secret,
      Date.now(),
    );
    const act = async (action: string, body: object) => {
      const path = `/v1/alerts/${listed.id}/${action}`;
      return tenant.ask(path, { method: "POST", token: ada, body: JSON.stringify(body) });
    };
    expect((await act("ack", { text: "on it" })).body).toMatchObject({
      state: "acknowledged",
      acknowledgedBy: "Ada",
    });
    const get = async () => (await tenant.get(`/v1/alerts/${listed.id}`)).body as AlertDetail;
    expect((await get()).alert).toMatchObject({ state: "acknowledged" });
    expect((await act("assign", { to: "Bob" })).body).toMatchObject({ assignee: "Bob" });
    await act("comment", { text: "the fan is broken" });
    const resolved = (await act("resolve", { text: "new fan" })).body as Alert;
    expect(resolved).toMatchObject({ state: "resolved", resolution: "by_hand" });
    const whole = await until("the whole history", async () => {
      const detail = await get();
      return detail.history.length === resolved.revision ? detail : undefined;
    });
    expect(whole.alert).toEqual(resolved);
    expect(whole.history.map(({ kind, by, text }) => [kind, by, text])).toEqual([
      ["fired", null, null],
      ["acknowledged", "Ada", "on it"],
      ["assigned", "Ada", expect.toSatisfy((text) => text === null || text.includes("Bob"))],
      ["commented", "Ada", "the fan is broken"],
      ["resolved", "Ada", "new fan"],
    ]);
    const late = problemOf(await act("ack", {}));
    expect(late).toMatchObject({ status: 409, detail: expect.stringMatching(/ended at \d{4}-.*by_hand/) });
    const rival = server.tenant("rival");
    expect((await rival.get("/v1/alerts")).body).toEqual({ alerts: [], next: null });
    expect(problemOf(await rival.get(`/v1/alerts/${listed.id}`))).toMatchObject({ code: "alert_not_found" });
    const acted = await send(rival, ["POST", `/v1/alerts/${listed.id}/comment`], "admin", { text: "x" });
    expect(problemOf(acted)).toMatchObject({ code: "alert_not_found" });
  });

  it("[A23] [A38] an incident is acknowledged and resolved with all its members", async () => {
    const tenant = server.tenant("crowd");
    await send(tenant, ["POST", "/v1/rules"], "operator", hot);
    for (const device of ["a", "b", "c"]) await tenant.send({ metrics: { temp: 99 } }, device);
    const incident = await until("the incident with all its members", async () => {
      const { incidents } = (await tenant.get("/v1/incidents?state=active")).body as {
        incidents: Incident[];
      };
      return incidents.find(({ members }) => members === 3);
    });
    const act = (action: string) =>
      send(tenant, ["POST", `/v1/incidents/${incident.id}/${action}`], "operator", {});
    expect(await act("ack")).toMatchObject({ status: 200, body: { done: 3, refused: 0, missing: [] } });
    const get = async () =>
      (await tenant.get(`/v1/incidents/${incident.id}`)).body as { incident: Incident; alerts: Alert[] };
    const acknowledged = await until("acknowledged", async () => {
      const snapshot = await get();
      return snapshot.alerts.every(({ state }) => state === "acknowledged") ? snapshot : undefined;
    });
    expect(acknowledged.alerts.map(({ device }) => device).sort()).toEqual(["a", "b", "c"]);
    expect((await act("resolve")).body).toMatchObject({ done: 3 });
    await until("resolved", async () => ((await get()).incident.state === "resolved" ? true : undefined));
    expect((await act("ack")).body).toEqual({ done: 0, refused: 0, missing: [] });
  });

  it("[A47] the local page's token names its bearer", async () => {
    const { token } = (await acme().ask("/local/session")).body as { token: string };
    expect(JSON.parse(atob(token.split(".")[1]!))).toMatchObject({ sub: "local" });
  });
});

it("[A47] the token command names its bearer, and refuses a name that is none", async () => {
  const named = await runScript("token.ts", ["--role", "operator", "--name", "Ada Lovelace"]);
  expect(JSON.parse(atob(named.stdout.split(".")[1]!))).toMatchObject({
    role: "operator",
    sub: "Ada Lovelace",
  });
  const refused = await runScript("token.ts", ["--role", "operator", "--name", "a".repeat(201)]);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/--name.*200/);
});
