// When a device object must be woken, although nothing comes.
import { nextSilenceAt } from "../alert/silence.ts";
import { HOUR_MS } from "../window/align.ts";
import { type SealTiming, sealDueAt } from "./seal.ts";
import type { DeviceState } from "./state.ts";

export interface AlarmTiming extends SealTiming {
  /** How long after a block is due the alarm waits for the device's own data to seal it, at no cost. */
  sealFallbackMs: number;
  /** How long an unconfirmed block may wait beyond its resend time for a commit before it deserves an alarm. */
  outboxSlackMs: number;
}

/** A device with long buckets reports rarely: its alarm waits as much longer for its own data. */
const patience = ({ bucketMs }: { bucketMs: number }) => Math.max(1, bucketMs / HOUR_MS);

/** When the object must be woken to seal a block, by the receipt clock; infinite: never. */
const sealAlarmAt = (state: DeviceState, timing: AlarmTiming) =>
  Math.min(
    Number.POSITIVE_INFINITY,
    ...state.open.map(
      (open) => sealDueAt(open, state.device, timing) + timing.sealFallbackMs * patience(open.mark),
    ),
  );

/** When it must be woken for a silence that is an alert, by the receipt clock; infinite: never. */
const silenceAlarmAt = ({ alerts, lastReceivedAt }: DeviceState) =>
  nextSilenceAt(alerts, lastReceivedAt) ?? Number.POSITIVE_INFINITY;

/** When it must be woken by the receipt clock; infinite: never. */
const receiptAlarmAt = (state: DeviceState, timing: AlarmTiming) =>
  Math.min(sealAlarmAt(state, timing), silenceAlarmAt(state));

/** When it must be woken to send a block, or tell of an alert, again, by the wall clock; infinite: never. */
const wallAlarmAt = (state: DeviceState, timing: AlarmTiming) =>
  Math.min(
    state.tellAt ?? Number.POSITIVE_INFINITY,
    ...state.outbox.map(({ resendAt }) => resendAt + timing.outboxSlackMs * patience(state)),
  );

/** When the object must be woken at the latest, by the receipt clock; null: never. */
export function nextAlarmAt(state: DeviceState, timing: AlarmTiming): number | null {
  const dueAt = Math.min(receiptAlarmAt(state, timing), wallAlarmAt(state, timing) + state.clockOffsetMs);
  return Number.isFinite(dueAt) ? dueAt : null;
}

/**
 * It has fired, or the platform has given it up; and one that fired in vain was set again for later, which nothing notes.
 * So what is set now is not known.
 */
const isSpent = ({ alarmWallAt, clockOffsetMs }: DeviceState, nowMs: number) =>
  alarmWallAt !== undefined && alarmWallAt <= nowMs - clockOffsetMs;

/**
 * The alarm to set with a commit at `nowMs`, by the receipt clock; undefined: what is set will do. An alarm costs a row
 * to set, and a request and a row to fire. So one that is early enough stays; and one about to fire for a block that
 * this commit sealed is put off: a device that reports has its alarm moved once a bucket, and it never fires.
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

/** Whether a block waits to be sealed or sent again, or an alert to be decided or told, although its time has come. */
export const isOverdue = (state: DeviceState, nowMs: number, timing: SealTiming) =>
  state.open.some((open) => sealDueAt(open, state.device, timing) <= nowMs) ||
  state.outbox.some(({ resendAt }) => resendAt <= nowMs - state.clockOffsetMs) ||
  (state.unlistedFromMs !== null && state.outbox.length === 0) ||
  silenceAlarmAt(state) <= nowMs ||
  (state.tellAt !== null && state.tellAt <= nowMs - state.clockOffsetMs);

/** Whether the alarm that the object needs is not set (null), or is past and did not fire. `setFor`: by the wall clock. */
export const isAlarmLost = (state: DeviceState, setFor: number | null, nowMs: number, timing: AlarmTiming) =>
  nextAlarmAt(state, timing) !== null && (setFor === null || setFor < nowMs - state.clockOffsetMs);
