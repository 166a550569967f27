// When a device object must be woken, although nothing comes.
import { nextCoolAt } from "../alert/hot.ts";
import { nextNoDataAt } from "../alert/no-data.ts";
import { HOUR_MS } from "../time.ts";
import { coolsAt } from "./heat.ts";
import { sealDueAt } from "./seal.ts";
import { type DeviceState, receiptMs } from "./state.ts";
import type { AlarmTiming, SealTiming } from "./timing.ts";

/**
 * How many times longer the alarm waits for the device's own data: its bucket's length in hours, at least 1. A device
 * with long buckets reports rarely.
 */
const patience = ({ bucketMs }: { bucketMs: number }) => Math.max(1, bucketMs / HOUR_MS);

/** When the object must be woken to seal a block, epoch ms by the receipt clock; Infinity when no block is open. */
const sealAlarmAt = (state: DeviceState, timing: AlarmTiming) =>
  Math.min(
    Number.POSITIVE_INFINITY,
    ...state.open.map(
      (open) => sealDueAt(open, state.device, timing) + timing.sealFallbackMs * patience(open.mark),
    ),
  );

/**
 * When the object must be woken to judge a no-data rule, epoch ms by the receipt clock; Infinity when none can fire.
 */
const noDataAlarmAt = ({ alerts, lastReceivedAt }: DeviceState) =>
  nextNoDataAt(alerts, lastReceivedAt) ?? Number.POSITIVE_INFINITY;

/**
 * When the object must be woken to see whether a device that was hot has cooled, epoch ms by the receipt clock; Infinity
 * when it has no active alert of that.
 */
const hotAlarmAt = (state: DeviceState) =>
  nextCoolAt(state.alerts, receiptMs(state, coolsAt(state))) ?? Number.POSITIVE_INFINITY;

/** Whether an alert says that the device is hot. */
export const isAlertedHot = (state: DeviceState) => Number.isFinite(hotAlarmAt(state));

/** The earliest of the wakings that run by the receipt clock, epoch ms; Infinity when there is none. */
const receiptAlarmAt = (state: DeviceState, timing: AlarmTiming) =>
  Math.min(sealAlarmAt(state, timing), noDataAlarmAt(state), hotAlarmAt(state));

/**
 * When the object must be woken to send a block or an alert event again, epoch ms by the wall clock; Infinity when
 * nothing waits to be confirmed.
 */
const wallAlarmAt = (state: DeviceState, timing: AlarmTiming) =>
  Math.min(
    state.tellAt ?? Number.POSITIVE_INFINITY,
    ...state.outbox.map(({ resendAt }) => resendAt + timing.outboxSlackMs * patience(state)),
  );

/**
 * Returns when the object must be woken at the latest, epoch ms by the receipt clock; null when nothing will need it.
 */
export function nextAlarmAt(state: DeviceState, timing: AlarmTiming): number | null {
  const dueAt = Math.min(receiptAlarmAt(state, timing), wallAlarmAt(state, timing) + state.clockOffsetMs);
  return Number.isFinite(dueAt) ? dueAt : null;
}

/**
 * Whether the instant of the noted alarm has passed, so that the state does not say which alarm is set: the noted one
 * has fired or was given up by the platform, and one that fired in vain was set again without writing the state row.
 */
const isSpent = ({ alarmWallAt, clockOffsetMs }: DeviceState, nowMs: number) =>
  alarmWallAt !== undefined && alarmWallAt <= nowMs - clockOffsetMs;

/**
 * Returns the alarm to set with a commit at `nowMs`, epoch ms by the receipt clock; undefined when the alarm that is
 * set will do, or none is needed. An alarm costs a row to set, and a request and a row to fire. So an alarm that is
 * early enough stays, and one about to fire for a block that this commit sealed (`hasSealed`) is put off: a device
 * that reports has its alarm moved once a bucket, and the alarm never fires.
 */
export function planAlarm(
  state: DeviceState,
  nowMs: number,
  timing: AlarmTiming,
  hasSealed: boolean,
): number | undefined {
  const due = nextAlarmAt(state, timing);
  if (due === null) return undefined;
  const { alarmAt } = state;
  if (alarmAt === null || isSpent(state, nowMs)) return due;
  // Each by the clock it runs by: a local run may have moved one against the other since the alarm was set.
  const isLate =
    receiptAlarmAt(state, timing) < alarmAt || wallAlarmAt(state, timing) < (state.alarmWallAt ?? alarmAt);
  if (isLate) return due;
  const firesInVain =
    hasSealed &&
    alarmAt < due &&
    alarmAt >= nowMs &&
    alarmAt - nowMs <= timing.sealFallbackMs * patience(state);
  return firesInVain ? due : undefined;
}

/**
 * Notes in the state that the object sets its alarm for `alarmAt`, epoch ms by the receipt clock, and when that is by
 * the wall clock, which alarms run by.
 */
export function noteAlarm(state: DeviceState, alarmAt: number): void {
  state.alarmAt = alarmAt;
  state.alarmWallAt = alarmAt - state.clockOffsetMs;
}

/**
 * Whether the time of something has passed: a block to be sealed or sent again, a no-data or hot rule to be judged, or
 * an alert event to be sent to the zone again. `nowMs` is of the receipt clock.
 */
export const isOverdue = (state: DeviceState, nowMs: number, timing: SealTiming) =>
  state.open.some((open) => sealDueAt(open, state.device, timing) <= nowMs) ||
  state.outbox.some(({ resendAt }) => resendAt <= nowMs - state.clockOffsetMs) ||
  (state.unlistedFromMs !== null && state.outbox.length === 0) ||
  noDataAlarmAt(state) <= nowMs ||
  hotAlarmAt(state) <= nowMs ||
  (state.tellAt !== null && state.tellAt <= nowMs - state.clockOffsetMs);

/**
 * Whether the object needs an alarm and has none that will fire. `setFor` is the instant the platform has the alarm
 * set for, epoch ms by the wall clock: null when none is set, in the past when it did not fire.
 */
export const isAlarmLost = (state: DeviceState, setFor: number | null, nowMs: number, timing: AlarmTiming) =>
  nextAlarmAt(state, timing) !== null && (setFor === null || setFor < nowMs - state.clockOffsetMs);
