// Who calls, as Hono middleware.
import { createMiddleware } from "hono/factory";
import type { Caller } from "../../core/token/verify.ts";
import { atLeast, authenticate } from "../authenticate.ts";
import type { ApiEnv } from "./env.ts";

export interface ApiContext {
  Bindings: ApiEnv;
  Variables: { caller: Caller };
}

/**
 * Lets callers of at least this role pass and puts who they are at `c.var.caller`.
 * @example devices.get("/", requireRole("viewer"), (c) => c.json({ tenant: c.var.caller.tenant }))
 */
export const requireRole = (least: "viewer" | "operator" | "admin") =>
  createMiddleware<ApiContext>(async (c, next) => {
    c.set("caller", await authenticate(c.req.raw, c.env, atLeast(least)));
    await next();
  });

/** Under which name what the caller does is noted. */
export const whoOf = ({ sub, role }: Caller): string => sub ?? role;
