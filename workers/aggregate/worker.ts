// The aggregate Worker: reduces. It owns the objects and consumes the queue; nobody calls it over HTTP.
import { wallMs } from "../clock.ts";
import { type Chore, runChores } from "./chores.ts";
import { compactFiles } from "./compact-files.ts";
import { computeZoneHours } from "./compute-zone-hours.ts";
import { consumeBlocks } from "./consume-blocks.ts";
import { consumeNotices } from "./consume-notices.ts";
import { deleteReplaced } from "./delete-replaced.ts";
import type { AggregateEnv } from "./env.ts";
import { exportHours } from "./export-hours.ts";
import { pushRulesPending } from "./push-rules-pending.ts";
import { retain } from "./retain.ts";
import { retainAlerts } from "./retain-alerts.ts";
import { runJobs } from "./run-jobs.ts";
import { SWEEP_EVERY_MS, sweepObjects } from "./sweep-objects.ts";
import { sweepOrphans } from "./sweep-orphans.ts";
import { sweepZones } from "./sweep-zones.ts";

export { ChannelObject } from "./channel-object.ts";
export { DeviceObject } from "./device-object.ts";
export { FleetObject } from "./fleet-object.ts";
export { TenantObject } from "./tenant-object.ts";
export { ZoneObject } from "./zone-object.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * In this order, each tick: what comes later may need what came before. A zone's hour is computed again each quarter of
 * an hour while its devices' blocks trickle in over fifty minutes: eight rows written a turn for zone and fleet, together.
 */
const CHORES: readonly Chore[] = [
  { name: "zone-hours", everyMs: 15 * MINUTE_MS, run: computeZoneHours },
  { name: "sweep-objects", everyMs: SWEEP_EVERY_MS, run: sweepObjects },
  { name: "push-rules", everyMs: 0, run: pushRulesPending },
  { name: "jobs", everyMs: 0, run: runJobs },
];

/** The cron of the chores below: one that comes once an hour has 15 min of CPU, and as long to run (Workers limits, 2026-11). */
const HOURLY = "41 * * * *";
/** After this no step is begun; the longest, a merge into 64 MB, takes some five minutes. */
const HOURLY_TURNS_MS = 9 * MINUTE_MS;

/**
 * The upkeep of the archive. An interval is half an hour short of whole hours, for no tick comes to the second. The last
 * takes what time the others leave.
 */
const HOURLY_CHORES: readonly Chore[] = [
  { name: "sweep-zones", everyMs: 0, run: sweepZones },
  { name: "delete-replaced", everyMs: 0, run: deleteReplaced },
  { name: "export-hours", everyMs: 5.5 * HOUR_MS, run: exportHours },
  { name: "retain", everyMs: 5.5 * HOUR_MS, run: retain },
  { name: "retain-alerts", everyMs: 23.5 * HOUR_MS, run: retainAlerts },
  { name: "sweep-orphans", everyMs: 23.5 * HOUR_MS, run: sweepOrphans },
  { name: "compact-files", everyMs: 0, run: compactFiles },
];

export default {
  queue: (batch, env) =>
    batch.queue === "telltale-notices" ? consumeNotices(batch, env) : consumeBlocks(batch, env),
  async scheduled({ cron }, env) {
    if (cron !== HOURLY) await runChores(env, CHORES);
    if (cron === HOURLY || env.CHORES === "always") {
      await runChores(env, HOURLY_CHORES, wallMs() + HOURLY_TURNS_MS);
    }
  },
  fetch: () => new Response("telltale aggregate\n"),
} satisfies ExportedHandler<AggregateEnv>;
