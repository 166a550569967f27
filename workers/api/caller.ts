// Who calls, and what the query string asks, as Hono middleware.
import type { MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import * as z from "zod";
import type { Caller } from "../../core/token/verify.ts";
import { atLeast, authenticate } from "../authenticate.ts";
import { callerByAccess } from "./access.ts";
import type { ApiEnv } from "./env.ts";
import { refuseBody } from "./read-json.ts";
import { refuseRevoked } from "./revoked.ts";
import { validateQuery } from "./validate.ts";

/** What a handler of the api finds at `c.env` and `c.var`. */
export interface ApiContext {
  Bindings: ApiEnv;
  /** `viewersMax`: how many streams the caller's tenant may have open; null: any number, or it is not known. */
  Variables: { caller: Caller; viewersMax: number | null };
}

interface Asking<Q extends z.ZodObject> extends ApiContext {
  Variables: ApiContext["Variables"] & { query: z.output<Q> };
}

/** No route takes a body with these. */
const BODILESS = new Set(["GET", "HEAD", "DELETE"]);

type Least = "viewer" | "operator" | "admin" | "owner";

/** The query of a route that takes no parameters. */
export const noQuery = z.object({});

/**
 * Lets callers of at least this role pass, unless their token was revoked, and puts who they are at `c.var.caller`. An owner
 * may do what owners may and nothing else, and nobody else may; his token ends with the secret.
 * `query` says which parameters the route takes, absent none, and is found checked at `c.var.query`: any other is
 * refused, and so is a body of a GET or DELETE.
 * @example devices.get("/", requireRole("viewer", listQuery), (c) => c.json({ limit: c.var.query.limit }))
 */
export function requireRole(least: Least): MiddlewareHandler<ApiContext>;
export function requireRole<Q extends z.ZodObject>(least: Least, query: Q): MiddlewareHandler<Asking<Q>>;
export function requireRole(least: Least, query: z.ZodObject = noQuery): MiddlewareHandler {
  return createMiddleware<Asking<z.ZodObject>>(async (c, next) => {
    const byAccess = () => callerByAccess(c.req.raw, c.env);
    const caller = await authenticate(c.req.raw, c.env, atLeast(least), byAccess);
    if (least !== "owner") {
      const { viewersMax = null } = await refuseRevoked(c.env.TENANT, caller);
      c.set("viewersMax", viewersMax);
    }
    c.set("caller", caller);
    c.set("query", validateQuery(query, c.req.url));
    if (BODILESS.has(c.req.method)) await refuseBody(c.req.raw);
    await next();
    // Hono answers a HEAD as it would a GET: what nobody will read is let go.
    if (c.req.method === "HEAD") await c.res.body?.cancel();
  });
}

/** For a POST that takes no body: one that comes is refused. Of GET and DELETE that is so everywhere. */
export const noBody = createMiddleware<ApiContext>(async (c, next) => {
  await refuseBody(c.req.raw);
  await next();
});

/** Returns the name under which what the caller does is noted: the token's subject, else its role. */
export const whoOf = ({ sub, role }: Caller): string => sub ?? role;
