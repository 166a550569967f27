// /v1/alerts and /v1/incidents: what is going on, what happened, and what people do about it.
import { type Context, Hono } from "hono";
import type { AlertAction } from "../../../schemas/alert.ts";
import { type ActionKind, actionBodies, alertsQuery, incidentsQuery } from "../../../schemas/alert-http.ts";
import { act, listAlerts, readAlert } from "../alerts.ts";
import { type ApiContext, requireRole, whoOf } from "../caller.ts";
import { actOnMembers, listIncidents, showIncident } from "../incidents.ts";
import { validateBody } from "../validate.ts";

export const alerts = new Hono<ApiContext>();
export const incidents = new Hono<ApiContext>();

alerts.get("/", requireRole("viewer", alertsQuery), async (c) =>
  c.json(await listAlerts(c.env.CONTROL, c.var.caller.tenant, c.var.query)),
);

alerts.get("/:alert", requireRole("viewer"), async (c) =>
  c.json(await readAlert(c.env, c.var.caller.tenant, c.req.param("alert"))),
);

alerts.post("/:alert/:action{ack|assign|comment|resolve}", requireRole("operator"), async (c) => {
  const { caller } = c.var;
  const action = await actionOf(c, c.req.param("action") as ActionKind);
  return c.json(await act(c.env, caller.tenant, c.req.param("alert"), action, whoOf(caller)));
});

incidents.get("/", requireRole("viewer", incidentsQuery), async (c) =>
  c.json(await listIncidents(c.env.CONTROL, c.var.caller.tenant, c.var.query)),
);

incidents.get("/:incident", requireRole("viewer"), async (c) =>
  c.json(await showIncident(c.env, c.var.caller.tenant, c.req.param("incident"))),
);

incidents.post("/:incident/:action{ack|assign|comment|resolve}", requireRole("operator"), async (c) => {
  const { caller } = c.var;
  const action = await actionOf(c, c.req.param("action") as ActionKind);
  return c.json(await actOnMembers(c.env, caller.tenant, c.req.param("incident"), action, whoOf(caller)));
});

/** Who only acknowledges or resolves may leave the body out. */
async function actionOf(c: Context<ApiContext>, kind: ActionKind): Promise<AlertAction> {
  const body = await validateBody(actionBodies[kind], c.req.raw, "invalid_body", {});
  return { ...body, kind } as AlertAction;
}
