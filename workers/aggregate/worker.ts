// The aggregate Worker: reduces. It owns the objects and consumes the queue; nobody calls it over HTTP.

import { HOUR_MS, MINUTE_MS } from "../../core/time.ts";
import { wallMs } from "../clock.ts";
import { archiveAudit } from "./chores/archive-audit.ts";
import { type Chore, isSomethingWaiting, runChores } from "./chores/chores.ts";
import { compactFiles } from "./chores/compact-files.ts";
import { computeZoneHours } from "./chores/compute-zone-hours.ts";
import { deleteReplaced } from "./chores/delete-replaced.ts";
import { exportHours } from "./chores/export-hours.ts";
import { pushRulesPending } from "./chores/push-rules-pending.ts";
import { retain } from "./chores/retain.ts";
import { retainAlerts } from "./chores/retain-alerts.ts";
import { storageQuota } from "./chores/storage-quota.ts";
import { SWEEP_EVERY_MS, sweepObjects } from "./chores/sweep-objects.ts";
import { sweepOrphans } from "./chores/sweep-orphans.ts";
import { sweepZones } from "./chores/sweep-zones.ts";
import { EACH_HOUR, PROMPT } from "./crons.ts";
import type { AggregateEnv } from "./env.ts";
import { runJobs } from "./jobs/run-jobs.ts";
import { consumeBlocks } from "./queues/consume-blocks.ts";
import { consumeNotices } from "./queues/consume-notices.ts";

export { ChannelObject } from "./channel/channel-object.ts";
export { DeviceObject } from "./device/device-object.ts";
export { FleetObject } from "./fleet/fleet-object.ts";
export { TenantObject } from "./tenant/tenant-object.ts";
export { ZoneObject } from "./zone/zone-object.ts";

/**
 * A zone's hour is computed again each quarter of an hour while its devices' blocks trickle in over fifty minutes: eight
 * rows written a turn for zone and fleet, together.
 */
const ZONE_HOURS: Chore = { name: "zone-hours", everyMs: 15 * MINUTE_MS, run: computeZoneHours };
const PUSH_RULES: Chore = { name: "push-rules", everyMs: 0, run: pushRulesPending };
const JOBS: Chore = { name: "jobs", everyMs: 0, run: runJobs };

/** In this order, each tick: what comes later may need what came before. */
const CHORES: readonly Chore[] = [
  ZONE_HOURS,
  { name: "sweep-objects", everyMs: SWEEP_EVERY_MS, run: sweepObjects },
  PUSH_RULES,
  JOBS,
];

/** What a local run does at once. A job waits for the hours it changed, and is done when they are computed. */
const PROMPT_CHORES: readonly Chore[] = [PUSH_RULES, JOBS, ZONE_HOURS, JOBS];

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
  { name: "storage-quota", everyMs: 5.5 * HOUR_MS, run: storageQuota },
  { name: "retain-alerts", everyMs: 23.5 * HOUR_MS, run: retainAlerts },
  { name: "archive-audit", everyMs: 23.5 * HOUR_MS, run: archiveAudit },
  { name: "sweep-orphans", everyMs: 23.5 * HOUR_MS, run: sweepOrphans },
  { name: "compact-files", everyMs: 0, run: compactFiles },
];

export default {
  queue: (batch, env) =>
    batch.queue === "telltale-notices" ? consumeNotices(batch, env) : consumeBlocks(batch, env),
  async scheduled({ cron }, env) {
    const isAll = env.CHORES === "always";
    if (cron === PROMPT && !isAll) {
      if (await isSomethingWaiting(env)) await runChores(env, PROMPT_CHORES, { areDue: true });
      return;
    }
    if (cron !== EACH_HOUR) await runChores(env, CHORES, { areDue: isAll });
    if (cron === EACH_HOUR || isAll) {
      const endMs = wallMs() + HOURLY_TURNS_MS;
      await runChores(env, HOURLY_CHORES, { endMs, areDue: env.CHORES !== undefined });
    }
  },
  fetch: () => new Response("telltale aggregate\n"),
} satisfies ExportedHandler<AggregateEnv>;
