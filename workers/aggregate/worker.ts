// The aggregate Worker: reduces. It owns the objects and consumes the queue; nobody calls it over HTTP.
import { consumeBlocks } from "./consume-blocks.ts";
import type { AggregateEnv } from "./env.ts";

export { DeviceObject } from "./device-object.ts";
export { TenantObject } from "./tenant-object.ts";
export { ZoneObject } from "./zone-object.ts";

export default {
  queue: consumeBlocks,
  fetch: () => new Response("telltale aggregate\n"),
} satisfies ExportedHandler<AggregateEnv>;
