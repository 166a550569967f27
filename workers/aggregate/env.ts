// What the aggregate Worker is bound to.
import type { AlarmTiming } from "../../core/device/timing.ts";
import type { QueuedNotice } from "../../schemas/alert.ts";
import type { BlockMessageInput, ChannelRpc, DeviceRpc, FleetRpc, ZoneRpc } from "../../schemas/message.ts";
import type { ClockEnv } from "../clock.ts";
import type { WarmEnv } from "../warm.ts";

interface Bindings extends ClockEnv {
  DEVICE: DurableObjectNamespace<DeviceRpc & Rpc.DurableObjectBranded>;
  ZONE: DurableObjectNamespace<ZoneRpc & Rpc.DurableObjectBranded>;
  TENANT: DurableObjectNamespace;
  CHANNEL: DurableObjectNamespace<ChannelRpc & Rpc.DurableObjectBranded>;
  FLEET: DurableObjectNamespace<FleetRpc & Rpc.DurableObjectBranded>;
  ROLLUPS: Queue<BlockMessageInput>;
  NOTICES: Queue<QueuedNotice>;
  CONTROL: D1Database;
  COLD: R2Bucket;
  SEAL_SPREAD_MS: string;
  OUTBOX_RESEND_MS: string;
  /** How soon a zone sends again what the queue has not confirmed. */
  NOTICE_RESEND_MS?: string;
  /** See AlarmTiming; a local run wakes its objects sooner. */
  SEAL_FALLBACK_MS?: string;
  OUTBOX_SLACK_MS?: string;
  /**
   * Only a local run says it. "prompt": the hourly chores are due each hour, for a laptop does not run for days. "always",
   * for tests: every chore is due at every tick of the cron, and a sweep is a whole round.
   */
  CHORES?: string;
  /** Where people open the dashboard, without a slash at its end; empty: links are relative. */
  PUBLIC_URL?: string;
  /** How long a replaced file is kept for those who planned with it. */
  GRACE_MS?: string;
  /** When this run began, epoch ms. Only a local run says it: it may have been away, and hears devices again from then on. */
  STARTED_AT?: string;
}

/** The bindings and variables of the aggregate Worker. */
export type AggregateEnv = Bindings & WarmEnv;

/** Longer than a socket may hold its reports (15 min), so that a connected device's own data seals. */
const SEAL_FALLBACK_MS = 20 * 60_000;
/**
 * More than an hour: it is a commit that sees to the outbox of a device that reports hourly, not an alarm. For a device
 * with buckets of 6 h both waits are six times as long.
 */
const OUTBOX_SLACK_MS = 80 * 60_000;

/** A message is told and confirmed within seconds. */
const NOTICE_RESEND_MS = 30_000;

/** How soon, in ms, a zone sends again what was not confirmed. */
export const noticeResendMsOf = (env: AggregateEnv) => Number(env.NOTICE_RESEND_MS ?? NOTICE_RESEND_MS);

/** When this run began, by the wall clock; 0: it has no beginning, as a deployment has none. */
export const startedAtOf = (env: AggregateEnv) => Number(env.STARTED_AT ?? 0);

const GRACE_MS = 3_600_000;

/** How long, in ms, a replaced file is kept for those who planned with it. */
export const graceMsOf = (env: AggregateEnv) => Number(env.GRACE_MS ?? GRACE_MS);

/** When a device object's alarms are set, as the deployment says. */
export const timingOf = (env: AggregateEnv): AlarmTiming => ({
  spreadMs: Number(env.SEAL_SPREAD_MS),
  resendMs: Number(env.OUTBOX_RESEND_MS),
  sealFallbackMs: Number(env.SEAL_FALLBACK_MS ?? SEAL_FALLBACK_MS),
  outboxSlackMs: Number(env.OUTBOX_SLACK_MS ?? OUTBOX_SLACK_MS),
});
