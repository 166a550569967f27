// A request no route took → 405 with what is allowed there, or 404.
import type { Env, Hono } from "hono";
import { Problem } from "./problem.ts";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

export function unmatched<E extends Env>(app: Hono<E>, request: Request): Response {
  const { pathname } = new URL(request.url);
  const allowed = METHODS.filter((method) => app.router.match(method, pathname)[0].length > 0);
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
