// The ingest Worker: accepts what devices send. Stateless; it runs at the edge nearest to the device.
import { Hono } from "hono/tiny";
import { problemResponse } from "../problem.ts";
import { unmatched } from "../unmatched.ts";
import { acceptSocket } from "./accept-socket.ts";
import { acceptTelemetry } from "./accept-telemetry.ts";
import type { IngestEnv } from "./env.ts";

export const ingest = new Hono<{ Bindings: IngestEnv }>();

ingest.post("/v1/telemetry", (c) => acceptTelemetry(c.req.raw, c.env));
ingest.get("/v1/connect", (c) => acceptSocket(c.req.raw, c.env));
ingest.notFound((c) => unmatched(ingest, c.req.raw));
ingest.onError((error) => problemResponse(error));

export default ingest satisfies ExportedHandler<IngestEnv>;
