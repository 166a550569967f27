// /v1/audit: who changed what.
import { Hono } from "hono";
import { auditQuery } from "../../../schemas/http.ts";
import { listAudit } from "../audit.ts";
import { type ApiContext, requireRole } from "../caller.ts";

export const audit = new Hono<ApiContext>();

audit.get("/", requireRole("admin", auditQuery), async (c) =>
  c.json(await listAudit(c.env.CONTROL, c.var.caller.tenant, c.var.query)),
);
