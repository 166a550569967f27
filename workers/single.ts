// All of Telltale in one Worker, for a laptop and for small fleets. Only composes.

import type { AggregateEnv } from "./aggregate/env.ts";
import aggregate from "./aggregate/worker.ts";
import type { ApiEnv } from "./api/env.ts";
import { api } from "./api/worker.ts";
import type { IngestEnv } from "./ingest/env.ts";
import { INGEST_PATHS } from "./ingest/paths.ts";
import { ingest } from "./ingest/worker.ts";

export { ChannelObject, DeviceObject, FleetObject, TenantObject, ZoneObject } from "./aggregate/worker.ts";

type Env = IngestEnv & ApiEnv & AggregateEnv;

export default {
  fetch: (request, env, ctx) =>
    (INGEST_PATHS.includes(new URL(request.url).pathname) ? ingest : api).fetch(request, env, ctx),
  queue: aggregate.queue,
  scheduled: aggregate.scheduled,
} satisfies ExportedHandler<Env>;
