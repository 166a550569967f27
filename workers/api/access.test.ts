// Every route × every role × another tenant's credential. A route that has no row here fails.
import { createExecutionContext, env } from "cloudflare:test";
import { expect, it, vi } from "vitest";
import type { Role } from "../../schemas/token.ts";
import type { IngestEnv } from "../ingest/env.ts";
import { ingest } from "../ingest/worker.ts";
import { bearer, packed, problem, rowsOnceKnown, T0 } from "../test-support.ts";
import { answerOf, apiEnv, ask } from "./api-test-support.ts";
import { api } from "./worker.ts";

vi.setConfig({ testTimeout: 120_000 });

/** `{job}` stands for the id of one of the owner's, which is drawn. */
type Row = [method: string, path: string, least: "viewer" | "operator" | "admin" | "owner", body?: unknown];

const rule = { id: "hot", name: "Too hot", condition: { type: "threshold", metric: "a", above: 80 } };
const channel = {
  id: "hook",
  name: "Hook",
  target: { type: "webhook", url: "https://example.com/hook", secret: "s3cret" },
};
const silence = { comment: "a test", startsAt: T0, endsAt: Date.now() + 3_600_000 };

/** With the body that its route takes, where an empty one would say nothing about whom it concerns. */
const ROUTES: Row[] = [
  ["GET", "/v1/devices", "viewer"],
  ["POST", "/v1/devices", "operator", { devices: [{ device: "d1/" }] }],
  ["GET", "/v1/devices/d1", "viewer"],
  ["GET", "/v1/devices/d1/latest", "viewer"],
  ["GET", "/v1/devices/d1/extent", "viewer"],
  ["GET", "/v1/devices/d1/history?metric=a", "viewer"],
  ["GET", "/v1/devices/d1/history/export?metric=a", "viewer"],
  ["PUT", "/v1/devices/d1", "operator", { name: "Mine" }],
  ["POST", "/v1/devices/d1/seal", "operator"],
  ["POST", "/v1/devices/d1/revoke", "admin"],
  ["GET", "/v1/zones", "viewer"],
  ["GET", "/v1/zones/default/history?metric=a", "viewer"],
  ["GET", "/v1/zones/default/snapshot", "viewer"],
  ["GET", "/v1/zones/default/stream", "viewer"],
  ["GET", "/v1/fleet", "viewer"],
  ["GET", "/v1/fleet/history?metric=a", "viewer"],
  ["GET", "/v1/fleet/names", "viewer"],
  ["GET", "/v1/fleet/stream", "viewer"],
  ["GET", "/v1/session", "viewer"],
  ["POST", "/v1/session", "viewer"],
  ["GET", "/v1/archive", "viewer"],
  ["GET", "/v1/archive/raw/x.parquet", "viewer"],
  ["GET", "/v1/tenant", "viewer"],
  ["GET", "/v1/tenant/retention", "viewer"],
  ["GET", "/v1/tenant/quota", "viewer"],
  ["GET", "/v1/tenant/activity?from=0&to=1", "viewer"],
  ["POST", "/v1/tenant/export", "admin"],
  ["GET", "/v1/tenant/exports", "admin"],
  ["GET", "/v1/tenant/exports/{export}", "admin"],
  ["GET", "/v1/tenant/exports/{export}/settings.json", "admin"],
  ["GET", "/v1/audit", "admin"],
  ["PUT", "/v1/tenant", "admin", { commitEveryMs: 1 }],
  ["GET", "/v1/rules", "viewer"],
  ["GET", "/v1/rules/hot", "viewer"],
  ["POST", "/v1/rules/preview", "viewer", rule],
  ["POST", "/v1/rules", "operator", { ...rule, id: "other" }],
  ["PUT", "/v1/rules/hot", "operator", { ...rule, name: "Changed" }],
  ["DELETE", "/v1/rules/hot", "operator"],
  ["GET", "/v1/alerts", "viewer"],
  ["GET", "/v1/alerts/hot.0.1.d1", "viewer"],
  ["POST", "/v1/alerts/hot.0.1.d1/ack", "operator"],
  ["POST", "/v1/alerts/hot.0.1.d1/assign", "operator", { assignee: "Ada" }],
  ["POST", "/v1/alerts/hot.0.1.d1/comment", "operator", { text: "hello" }],
  ["POST", "/v1/alerts/hot.0.1.d1/resolve", "operator"],
  ["GET", "/v1/incidents", "viewer"],
  ["GET", "/v1/incidents/default.1", "viewer"],
  ["POST", "/v1/incidents/default.1/ack", "operator"],
  ["POST", "/v1/incidents/default.1/assign", "operator", { assignee: "Ada" }],
  ["POST", "/v1/incidents/default.1/comment", "operator", { text: "hello" }],
  ["POST", "/v1/incidents/default.1/resolve", "operator"],
  ["GET", "/v1/channels", "operator"],
  ["GET", "/v1/channels/hook", "operator"],
  ["POST", "/v1/channels/hook/test", "operator"],
  ["GET", "/v1/channels/hook/deliveries", "operator"],
  ["POST", "/v1/channels", "admin", { ...channel, id: "other" }],
  ["PUT", "/v1/channels/hook", "admin", { ...channel, name: "Changed" }],
  ["DELETE", "/v1/channels/hook", "admin"],
  ["GET", "/v1/silences", "viewer"],
  ["POST", "/v1/silences", "operator", {}],
  ["DELETE", "/v1/silences/{silence}", "operator"],
  ["GET", "/v1/tokens", "admin"],
  ["POST", "/v1/tokens", "admin", {}],
  ["POST", "/v1/tokens/revoke", "admin", { id: "{token}" }],
  ["GET", "/v1/provisioning-keys", "admin"],
  ["GET", "/v1/provisioning-keys/{key}", "admin"],
  ["POST", "/v1/provisioning-keys", "admin", {}],
  ["DELETE", "/v1/provisioning-keys/{key}", "admin"],
  ["GET", "/v1/api-keys", "admin"],
  ["POST", "/v1/api-keys", "admin", {}],
  ["DELETE", "/v1/api-keys/{apiKey}", "admin"],
  ["GET", "/v1/admin/jobs", "admin"],
  ["GET", "/v1/admin/jobs/{job}", "admin"],
  ["POST", "/v1/admin/jobs/{job}/stop", "admin"],
  ["POST", "/v1/admin/jobs/{job}/resume", "admin"],
  ["POST", "/v1/admin/replay", "admin", {}],
  ["POST", "/v1/admin/import", "admin", { zone: "default", more: 1 }],
  ["PUT", "/v1/admin/import/{job}/parts/0", "admin"],
  ["POST", "/v1/admin/import/{job}/start", "admin"],
  ["DELETE", "/v1/devices/d1", "admin"],
  ["GET", "/v1/tenants", "owner"],
  ["POST", "/v1/tenants", "owner", { tenant: "made-here" }],
  ["GET", "/v1/tenants/nobody", "owner"],
  ["DELETE", "/v1/tenants/nobody", "owner"],
  ["GET", "/v1/deployment/audit", "owner"],
];

/** What takes no token of any role, but a key of its own. */
const KEYED: [method: string, path: string][] = [["POST", "/v1/claim"]];

const RANK = ["viewer", "operator", "admin"];
const ROLES: readonly Role[] = ["device", "gateway", "viewer", "operator", "admin", "owner"];

/** `/v1/jobs/:job/:change{stop|resume}` and `/v1/archive/:key{.+}` as a pattern of addresses. */
const patternOf = (path: string) =>
  new RegExp(
    `^${path.replace(/:\w+(?:\{([^}]+)\})?/g, (_, own: string | undefined) => `(?:${own ?? "[^/]+"})`)}$`,
  );

it("[I47] every route has a row, and every row is of a route", () => {
  const routes = api.routes.filter(({ path, method }) => path.startsWith("/v1/") && method !== "ALL");
  const rows = [...ROUTES, ...KEYED].map(([method, path]) => ({ method, path: path.split("?")[0]! }));
  const fits = (route: (typeof routes)[number], row: (typeof rows)[number]) =>
    route.method === row.method && patternOf(route.path).test(row.path);
  const named = ({ method, path }: { method: string; path: string }) => `${method} ${path}`;
  expect(routes.filter((route) => !rows.some((row) => fits(route, row))).map(named)).toEqual([]);
  expect(rows.filter((row) => !routes.some((route) => fits(route, row))).map(named)).toEqual([]);
  const doors = ingest.routes.map(named);
  expect(doors.sort()).toEqual(["GET /v1/connect", "POST /v1/telemetry"]);
});

const bodyOf = (method: string, body: unknown) =>
  method === "PUT" || method === "POST" ? { body: body ?? {} } : {};

it.each(ROUTES)("[I4] %s %s takes the roles from %s on and no others", async (method, path, least, body) => {
  const missing = new Request(`https://telltale.test${path}`, { method });
  await problem(api.fetch(missing, apiEnv, createExecutionContext()), 401, "token_missing");
  for (const role of ROLES) {
    const { status } = await ask(`roles-${ROUTES.findIndex((row) => row[1] === path)}`, role, path, {
      method,
      ...bodyOf(method, body),
    });
    const allowed = least === "owner" ? role === "owner" : RANK.indexOf(role) >= RANK.indexOf(least);
    expect([path, role, status === 403]).toEqual([path, role, !allowed]);
    // 400: an empty body is none of these; 426: a stream is no plain answer.
    if (allowed) expect([200, 201, 202, 400, 404, 409, 422, 426]).toContain(status);
  }
});

it.each(KEYED)("[I4] %s %s takes no token of any role", async (method, path) => {
  const missing = new Request(`https://telltale.test${path}`, { method });
  await problem(api.fetch(missing, apiEnv, createExecutionContext()), 401, "token_missing");
  for (const role of ROLES)
    await problem(ask("keyed", role, path, { method, body: {} }), 401, "token_invalid");
});

it.each(["viewer", "operator", "admin", "owner"] as const)(
  "[I4] a %s may not send what devices do",
  async (role) => {
    for (const [method, path] of [
      ["POST", "/v1/telemetry"],
      ["GET", "/v1/connect"],
    ] as const) {
      const { authorization } = await bearer("roles", role);
      const request = new Request(`https://telltale.test${path}`, { method, headers: { authorization } });
      await problem(
        ingest.fetch(request, env as unknown as IngestEnv, createExecutionContext()),
        403,
        "forbidden",
      );
    }
  },
);

/** Everything a tenant can have, and the ids of it. */
async function owner(tenant: string): Promise<Record<string, string>> {
  const device = env.DEVICE.getByName(`${tenant}/d1`);
  await device.report(packed([T0, { a: 1 }]), T0);
  await rowsOnceKnown(device);
  const post = (path: string, body: unknown) =>
    answerOf<{ id: string; tokens: { id: string }[] }>(ask(tenant, "admin", path, { method: "POST", body }));
  await post("/v1/rules", rule);
  await post("/v1/channels", channel);
  const { id } = await post("/v1/silences", silence);
  const { tokens } = await post("/v1/tokens", { role: "viewer" });
  const key = await post("/v1/provisioning-keys", { maxDevices: 1, ttlSeconds: 60 });
  const { id: apiKey } = await post("/v1/api-keys", { name: "CI", role: "viewer" });
  const { id: job } = await (
    await ask(tenant, "admin", "/v1/admin/import", { method: "POST", body: {} })
  ).json<{ id: string }>();
  const exported = await ask(tenant, "admin", "/v1/tenant/export", { method: "POST" });
  const { id: made } = await exported.json<{ id: string }>();
  for (const file of ["manifest.json", "settings.json"])
    await env.COLD.put(`export/tenant=${tenant}/${made}/${file}`, `of ${tenant}`);
  return { apiKey, export: made, silence: id, token: tokens[0]!.id, key: key.id, job };
}

const filled = <T>(value: T, ids: Record<string, string>): T =>
  JSON.parse(
    JSON.stringify(value ?? null).replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? name),
  ) as T;

/** What an answer says but for whom it is to and when it was made. */
async function shownTo(tenant: string, [method, path, , body]: Row, ids: Record<string, string>) {
  const answer = await ask(tenant, "admin", filled(path, ids), {
    method,
    ...bodyOf(method, filled(body, ids)),
  });
  const text = await answer.text();
  return [answer.status, text.replaceAll(tenant, "TENANT").replace(/\d{9,}(-[0-9a-f]+)*/g, "N")];
}

it("[I5] to another tenant's admin every route answers as to one who has nothing, and nothing of the owner changes", async () => {
  const ids = await owner("has-all");
  const reads = ROUTES.filter(([method, path]) => method === "GET" && path !== "/v1/fleet/stream");
  const ownAnswers = () => Promise.all(reads.map((row) => shownTo("has-all", row, ids)));
  const before = await ownAnswers();
  const differing: string[] = [];
  for (const row of ROUTES) {
    const toStranger = await shownTo("has-none", row, ids);
    expect([row[0], row[1], toStranger]).toEqual([row[0], row[1], await shownTo("has-nil", row, ids)]);
    if (toStranger[0] !== 404) continue;
    differing.push(row[1]);
  }
  // What is named by an id of the owner is not there.
  expect(differing).toEqual(
    expect.arrayContaining([
      "/v1/devices/d1",
      "/v1/rules/hot",
      "/v1/channels/hook",
      "/v1/silences/{silence}",
      "/v1/tokens/revoke",
      "/v1/provisioning-keys/{key}",
      "/v1/api-keys/{apiKey}",
      "/v1/tenant/exports/{export}",
      "/v1/tenant/exports/{export}/settings.json",
      "/v1/admin/jobs/{job}",
      "/v1/admin/jobs/{job}/stop",
      "/v1/admin/import/{job}/parts/0",
      "/v1/admin/import/{job}/start",
    ]),
  );
  expect(await ownAnswers()).toEqual(before);
});
