// A request no route took → what is allowed there: 204 to OPTIONS, else 405; or 404.
import type { Env, Hono } from "hono";
import { Problem } from "./problem.ts";

/** Not "ALL", under which what runs before every route is known. */
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/**
 * Returns the answer to a request that no route of `app` took: 405 with `allow` where another method is taken (HEAD is
 * wherever GET is), 204 with it to OPTIONS, else 404.
 */
export function unmatched<E extends Env>(app: Hono<E>, request: Request): Response {
  const { pathname } = new URL(request.url);
  const isTaken = (method: string) =>
    app.router.match(method, pathname)[0].some(([[, route]]) => route.method === method);
  const allowed = METHODS.filter(isTaken);
  if (allowed.length > 0 && request.method === "OPTIONS") {
    const methods = allowed.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : method));
    return new Response(null, { status: 204, headers: { allow: [...methods, "OPTIONS"].join(", ") } });
  }
  if (allowed.length === 0) {
    return new Problem("not_found", `${pathname} is no address of Telltale; see /openapi.json`).toResponse();
  }
  const problem = new Problem(
    "method_not_allowed",
    `${pathname} takes ${allowed.join(", ")}, not ${request.method}`,
  );
  const response = problem.toResponse();
  response.headers.set("allow", allowed.join(", "));
  return response;
}
