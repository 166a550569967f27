// The ingest Worker: accepts what devices send. Stateless; it runs at the edge nearest to the device.
import { Hono } from "hono/tiny";
import { Problem, problemResponse } from "../problem.ts";
import { acceptSocket } from "./accept-socket.ts";
import { acceptTelemetry } from "./accept-telemetry.ts";
import type { IngestEnv } from "./env.ts";

export const ingest = new Hono<{ Bindings: IngestEnv }>();

ingest.post("/v1/telemetry", (c) => acceptTelemetry(c.req.raw, c.env));
ingest.get("/v1/connect", (c) => acceptSocket(c.req.raw, c.env));
ingest.all("/v1/telemetry", methodNotAllowed("POST"));
ingest.all("/v1/connect", methodNotAllowed("GET (a WebSocket upgrade)"));
ingest.notFound((c) => new Problem("not_found", `${new URL(c.req.url).pathname} is no address of ingest`).toResponse());
ingest.onError((error) => problemResponse(error));

function methodNotAllowed(allowed: string) {
  return () => new Problem("method_not_allowed", `use ${allowed}`).toResponse();
}

export default ingest satisfies ExportedHandler<IngestEnv>;
