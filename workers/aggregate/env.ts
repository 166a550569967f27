// What the aggregate Worker is bound to.
import type { AlarmTiming } from "../../core/device/alarm.ts";
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
  /** "always": every chore is due at every tick of the cron; only a local run says so. */
  CHORES?: string;
  /** Where people open the dashboard, without a slash at its end; empty: links are relative. */
  PUBLIC_URL?: string;
  /** How long a replaced file is kept for those who planned with it. */
  GRACE_MS?: string;
}

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

export const noticeResendMsOf = (env: AggregateEnv) => Number(env.NOTICE_RESEND_MS ?? NOTICE_RESEND_MS);

const GRACE_MS = 3_600_000;

export const graceMsOf = (env: AggregateEnv) => Number(env.GRACE_MS ?? GRACE_MS);

export const timingOf = (env: AggregateEnv): AlarmTiming => ({
  spreadMs: Number(env.SEAL_SPREAD_MS),
  resendMs: Number(env.OUTBOX_RESEND_MS),
  sealFallbackMs: Number(env.SEAL_FALLBACK_MS ?? SEAL_FALLBACK_MS),
  outboxSlackMs: Number(env.OUTBOX_SLACK_MS ?? OUTBOX_SLACK_MS),
});
