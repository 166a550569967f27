// /v1/session: whose the token is, for a page that wants to know before it shows anything.
import { Hono } from "hono";
import type { SessionAnswer } from "../../../schemas/token.ts";
import { type ApiContext, requireRole } from "../caller.ts";

export const session = new Hono<ApiContext>();

/** From the token alone, unless it was revoked: no row is read. */
session.get("/", requireRole("viewer"), (c) => {
  const { tenant, role, sub, expiresAt } = c.var.caller;
  return c.json({ tenant, role, name: sub ?? null, expiresAt } satisfies SessionAnswer);
});
