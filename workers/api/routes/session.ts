// /v1/session: whose the token is, for a page that wants to know before it shows anything.
import { Hono } from "hono";
import { signToken } from "../../../core/token/sign.ts";
import type { SessionAnswer, SessionToken } from "../../../schemas/token.ts";
import { hasToken, secretsOf } from "../../authenticate.ts";
import { wallMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import { type ApiContext, noBody, requireRole } from "../caller.ts";

/** How long a page works with the token it got by Access before it asks for another. */
const SESSION_MS_MAX = 3_600_000;

export const session = new Hono<ApiContext>();

/** From the token alone, unless it was revoked: no row is read. */
session.get("/", requireRole("viewer"), (c) => {
  const { tenant, role, sub, expiresAt } = c.var.caller;
  return c.json({ tenant, role, name: sub ?? null, expiresAt } satisfies SessionAnswer);
});

/** A token for the page of somebody whom Access signed in: of an hour, and no longer than that sign-in. */
session.post("/", requireRole("viewer"), noBody, async (c) => {
  if (hasToken(c.req.raw))
    throw new Problem("conflict", "a token makes no other; POST /v1/tokens does, for admins");
  const { expiresAt, issuedAtMs: _, ...subject } = c.var.caller;
  const now = wallMs();
  const ttlSeconds = Math.ceil(Math.min(SESSION_MS_MAX, expiresAt - now) / 1000);
  const token = await signToken({ ...subject, ttlSeconds }, secretsOf(c.env)[0], now);
  return c.json({ token } satisfies SessionToken, 201, { "cache-control": "no-store" });
});
