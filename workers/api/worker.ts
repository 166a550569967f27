// The api Worker: answers operators and serves the dashboard.
import { Hono } from "hono";
import { problemResponse } from "../problem.ts";
import { unmatched } from "../unmatched.ts";
import { auditChanges } from "./audit.ts";
import { type ApiContext, noQuery } from "./caller.ts";
import type { ApiEnv } from "./env.ts";
import { readReadiness } from "./readiness.ts";
import { admin } from "./routes/admin.ts";
import { alerts, incidents } from "./routes/alerts.ts";
import { apiKeys } from "./routes/api-keys.ts";
import { archive } from "./routes/archive.ts";
import { audit } from "./routes/audit.ts";
import { channels } from "./routes/channels.ts";
import { devices } from "./routes/devices.ts";
import { exports } from "./routes/exports.ts";
import { local } from "./routes/local.ts";
import { claim, provisioningKeys } from "./routes/provisioning.ts";
import { rules } from "./routes/rules.ts";
import { session } from "./routes/session.ts";
import { silences } from "./routes/silences.ts";
import { tenant } from "./routes/tenant.ts";
import { deployment, tenants } from "./routes/tenants.ts";
import { tokens } from "./routes/tokens.ts";
import { fleet, zones } from "./routes/zones.ts";
import { validateQuery } from "./validate.ts";

export const api = new Hono<ApiContext>();

api.use(
  "/v1/*",
  auditChanges((request, env, context) => api.fetch(request, env, context)),
);
api.get("/healthz", (c) => {
  validateQuery(noQuery, c.req.url);
  return c.json({ status: "ok" });
});
api.get("/readyz", async (c) => {
  validateQuery(noQuery, c.req.url);
  const answer = await readReadiness(c.env);
  return c.json(answer, answer.status === "unready" ? 503 : 200, { "cache-control": "no-store" });
});
api.route("/v1/devices", devices);
api.route("/v1/zones", zones);
api.route("/v1/fleet", fleet);
api.route("/v1/archive", archive);
api.route("/v1/rules", rules);
api.route("/v1/alerts", alerts);
api.route("/v1/incidents", incidents);
api.route("/v1/channels", channels);
api.route("/v1/silences", silences);
api.route("/v1/session", session);
api.route("/v1/tenant", tenant);
api.route("/v1/tenant", exports);
api.route("/v1/tenants", tenants);
api.route("/v1/deployment", deployment);
api.route("/v1/audit", audit);
api.route("/v1/tokens", tokens);
api.route("/v1/provisioning-keys", provisioningKeys);
api.route("/v1/claim", claim);
api.route("/v1/api-keys", apiKeys);
api.route("/v1/admin", admin);
api.route("/local", local);
api.notFound((c) => {
  const { pathname } = new URL(c.req.url);
  if (pathname.startsWith("/v1/")) return unmatched(api, c.req.raw);
  return c.env.ASSETS.fetch(c.req.raw);
});
api.onError((error) => problemResponse(error));

export default api satisfies ExportedHandler<ApiEnv>;
