// The aggregate Worker: reduces. It owns the objects and consumes the queue; nobody calls it over HTTP.
import { type Chore, runChores } from "./chores.ts";
import { computeZoneHours } from "./compute-zone-hours.ts";
import { consumeBlocks } from "./consume-blocks.ts";
import type { AggregateEnv } from "./env.ts";
import { SWEEP_EVERY_MS, sweepObjects } from "./sweep-objects.ts";

export { DeviceObject } from "./device-object.ts";
export { TenantObject } from "./tenant-object.ts";
export { ZoneObject } from "./zone-object.ts";

const MINUTE_MS = 60_000;

/**
 * In this order, each tick: what comes later may need what came before. A zone's hour is computed again each quarter of
 * an hour while its devices' blocks trickle in over fifty minutes: eight rows written a turn for zone and fleet, together.
 */
const CHORES: readonly Chore[] = [
  { name: "zone-hours", everyMs: 15 * MINUTE_MS, run: computeZoneHours },
  { name: "sweep-objects", everyMs: SWEEP_EVERY_MS, run: sweepObjects },
];

export default {
  queue: consumeBlocks,
  scheduled: (_controller, env) => runChores(env, CHORES),
  fetch: () => new Response("telltale aggregate\n"),
} satisfies ExportedHandler<AggregateEnv>;
