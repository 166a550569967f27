// What the tests of the ingest Worker share: requests to it.
import { createExecutionContext, env } from "cloudflare:test";
import { T0 } from "../test-support.ts";
import type { IngestEnv } from "./env.ts";
import { ingest } from "./worker.ts";

export const ingestEnv = env as unknown as IngestEnv;

export interface Sent {
  body?: BodyInit;
  headers?: Record<string, string>;
  env?: IngestEnv;
  method?: string;
  path?: string;
}

/** A text is sent as bytes: as text it would be of type text/plain. */
export const send = async ({
  body,
  headers = {},
  env: own = ingestEnv,
  method = "POST",
  path = "/v1/telemetry",
}: Sent) =>
  await ingest.fetch(
    new Request(`https://telltale.test${path}`, {
      method,
      body: typeof body === "string" ? new TextEncoder().encode(body) : body,
      headers: { "telltale-clock": String(T0), ...headers },
    }),
    own,
    createExecutionContext(),
  );

export const report = (value: number, more: object = {}) => ({ at: T0, metrics: { a: value }, ...more });
