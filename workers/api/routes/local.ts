// /local: what only a laptop has. `npm start` names a tenant; a deployed Worker does not, and answers 404.
import { Hono } from "hono";
import { signToken } from "../../../core/token/sign.ts";
import { wallMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import type { ApiContext } from "../caller.ts";

export const local = new Hono<ApiContext>();

/** An operator's token for the page, so that a new user sees the fleet, and may acknowledge, at once. Refuses other hosts' names (DNS rebinding). */
local.get("/session", async (c) => {
  const { hostname } = new URL(c.req.url);
  const { LOCAL_TENANT: tenant, TOKEN_SECRET: secret } = c.env;
  if (!tenant || !secret || !["127.0.0.1", "localhost", "[::1]"].includes(hostname)) {
    throw new Problem("not_found", "only a local run hands out tokens");
  }
  const token = await signToken(
    { tenant, role: "operator", sub: "local", ttlSeconds: 86_400 },
    secret,
    wallMs(),
  );
  return c.json({ token, tenant }, 200, { "cache-control": "no-store" });
});
