// /v1/tenants and /v1/deployment: for whoever runs the deployment, who reads nothing of a tenant's.
import { Hono } from "hono";
import { auditQuery } from "../../../schemas/http.ts";
import { DEPLOYMENT } from "../../../schemas/limits.ts";
import { newTenant, tenantsQuery } from "../../../schemas/tenants.ts";
import { Problem } from "../../problem.ts";
import { listAudit } from "../audit.ts";
import { type ApiContext, requireRole } from "../caller.ts";
import { deletionOfTenant, listTenants, makeTenant, readTenant } from "../tenants.ts";
import { settingCode, validateBody } from "../validate.ts";

export const tenants = new Hono<ApiContext>();
export const deployment = new Hono<ApiContext>();

const noSuchTenant = (tenant: string) =>
  new Problem("tenant_not_found", `no tenant ${tenant}; GET /v1/tenants lists them`);

tenants.get("/", requireRole("owner", tenantsQuery), async (c) =>
  c.json(await listTenants(c.env.CONTROL, c.var.query)),
);

tenants.post("/", requireRole("owner"), async (c) => {
  const { tenant, settings } = await validateBody(newTenant, c.req.raw, settingCode);
  return c.json(await makeTenant(c.env, tenant, settings), 201, { location: `/v1/tenants/${tenant}` });
});

tenants.get("/:tenant", requireRole("owner"), async (c) => {
  const tenant = c.req.param("tenant");
  const found = await readTenant(c.env.CONTROL, tenant);
  if (found === undefined) throw noSuchTenant(tenant);
  return c.json(found);
});

tenants.delete("/:tenant", requireRole("owner"), async (c) => {
  const tenant = c.req.param("tenant");
  const job = await deletionOfTenant(c.env, c.executionCtx, tenant);
  if (job === undefined) throw noSuchTenant(tenant);
  return c.json(job, 202, { location: `/v1/tenants/${tenant}` });
});

deployment.get("/audit", requireRole("owner", auditQuery), async (c) =>
  c.json(await listAudit(c.env.CONTROL, DEPLOYMENT, c.var.query)),
);
