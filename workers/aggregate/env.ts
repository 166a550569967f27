// What the aggregate Worker is bound to.
import type { SealTiming } from "../../core/device/seal.ts";
import type { BlockMessage, DeviceRpc, ZoneRpc } from "../../schemas/message.ts";
import type { ClockEnv } from "../clock.ts";

export interface AggregateEnv extends ClockEnv {
  DEVICE: DurableObjectNamespace<DeviceRpc & Rpc.DurableObjectBranded>;
  ZONE: DurableObjectNamespace<ZoneRpc & Rpc.DurableObjectBranded>;
  TENANT: DurableObjectNamespace;
  ROLLUPS: Queue<BlockMessage>;
  CONTROL: D1Database;
  WARM_0: D1Database;
  COLD: R2Bucket;
  SEAL_SPREAD_MS: string;
  OUTBOX_RESEND_MS: string;
  /** How long past its resend time an unconfirmed block may wait before it wakes the object; see `nextAlarmAt`. */
  OUTBOX_SLACK_MS?: string;
}

/** With more than a bucket of slack a reporting device keeps one alarm a bucket: its commits see to the outbox. */
const OUTBOX_SLACK_MS = 80 * 60_000;

export const timingOf = (env: AggregateEnv): SealTiming & { outboxSlackMs: number } => ({
  spreadMs: Number(env.SEAL_SPREAD_MS),
  resendMs: Number(env.OUTBOX_RESEND_MS),
  outboxSlackMs: Number(env.OUTBOX_SLACK_MS ?? OUTBOX_SLACK_MS),
});
