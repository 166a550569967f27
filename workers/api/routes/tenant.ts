// /v1/tenant: what the tenant may choose, kept by its control object.
import { Hono } from "hono";
import { tenantSettings, tenantSettingsChange } from "../../../schemas/tenant.ts";
import { changeSettings, readSettings } from "../../tenant.ts";
import { type ApiContext, requireRole } from "../caller.ts";
import { readRetention } from "../read-retention.ts";
import { validateBody } from "../validate.ts";

export const tenant = new Hono<ApiContext>();

tenant.get("/", requireRole("viewer"), async (c) =>
  c.json(await readSettings(c.env.TENANT, c.var.caller.tenant)),
);

tenant.get("/retention", requireRole("viewer"), async (c) =>
  c.json(await readRetention(c.env, c.var.caller.tenant)),
);

tenant.put("/", requireRole("admin"), async (c) => {
  const change = await validateBody(tenantSettingsChange, c.req.raw);
  return c.json(tenantSettings.parse(await changeSettings(c.env.TENANT, c.var.caller.tenant, change)));
});
