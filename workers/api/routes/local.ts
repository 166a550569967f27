// /local: what only a laptop has. `npm start` names a tenant; a deployed Worker does not, and answers 404.
import { Hono } from "hono";
import { signToken } from "../../../core/token/sign.ts";
import { secretsOf } from "../../authenticate.ts";
import { wallMs } from "../../clock.ts";
import { Problem } from "../../problem.ts";
import { type ApiContext, noQuery } from "../caller.ts";
import { validateQuery } from "../validate.ts";

export const local = new Hono<ApiContext>();

const LOCAL: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** The host of an address, "" where it is none. */
function hostOf(address: string): string {
  try {
    return new URL(address).hostname;
  } catch {
    return "";
  }
}

/** An operator's token for the page, so that a new user sees the fleet, and may acknowledge, at once. Refuses other hosts' names (DNS rebinding), in the address and in `Host`, which no page can set: a local run takes the address from a header. */
local.get("/session", async (c) => {
  validateQuery(noQuery, c.req.url);
  const said = c.req.header("host"); // HTTP has one always
  const hosts = [c.req.url, ...(said === undefined ? [] : [`http://${said}`])].map(hostOf);
  const { LOCAL_TENANT: tenant, TOKEN_SECRET } = c.env;
  if (!tenant || !TOKEN_SECRET || !hosts.every((host) => LOCAL.has(host))) {
    throw new Problem("not_found", "only a local run hands out tokens");
  }
  const token = await signToken(
    { tenant, role: "operator", sub: "local", ttlSeconds: 86_400 },
    secretsOf(c.env)[0],
    wallMs(),
  );
  return c.json({ token, tenant }, 200, { "cache-control": "no-store" });
});
