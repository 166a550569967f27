import { expect, it } from "vitest";
import { nextAlarmAt, planAlarm } from "./alarm.ts";
import { FakeDevice, HOUR_MS, START_MS } from "./fake-device.ts";
import { confirm, needsCommit } from "./outbox.ts";
import { sealDueAt } from "./seal.ts";
import type { AlarmTiming } from "./timing.ts";

const MINUTE_MS = 60_000;
const TIMING: AlarmTiming = {
  spreadMs: 50 * MINUTE_MS,
  resendMs: 15 * MINUTE_MS,
  sealFallbackMs: 20 * MINUTE_MS,
  outboxSlackMs: 80 * MINUTE_MS,
};

/**
 * A device that reports so many metrics every `everyMs` for `hours`: how often its alarm is set, how often it fires, how
 * often a block is sent again, once its buckets have settled. It sleeps between its commits; what is confirmed in between is kept only if it is written.
 */
function live(everyMs: number, metrics: number, hours: number, settlingHours = 12) {
  const device = new FakeDevice({}, TIMING);
  const values = Object.fromEntries(Array.from({ length: metrics }, (_, i) => [`m${i}`, 1]));
  let counts = { set: 0, fired: 0, blocks: 0, resent: 0, confirming: 0 };
  const commit = (now: number, reports: { at: number; metrics: Record<string, number> }[]) => {
    const { sealed, resent, alarmWallAt } = device.commit(now, reports);
    counts.blocks += sealed.length;
    counts.resent += resent.length;
    if (alarmWallAt !== undefined) counts.set += 1;
    const stored = [...sealed, ...device.state.outbox.filter(({ startMs }) => resent.includes(startMs))];
    const taken = confirm(
      device.state,
      stored.map(({ startMs, revision }) => ({ startMs, revision })),
    );
    if (taken.length > 0 && needsCommit(device.state, taken)) {
      counts.confirming += 1;
      commit(now, []);
    }
    device.evict();
  };
  for (let now = START_MS; now < START_MS + hours * HOUR_MS; now += everyMs) {
    for (let { alarmAt } = device.state; alarmAt !== null && alarmAt <= now; alarmAt = device.state.alarmAt) {
      device.state.alarmAt = null;
      counts.fired += 1;
      commit(alarmAt, []);
    }
    if (now - START_MS === settlingHours * HOUR_MS)
      counts = { set: 0, fired: 0, blocks: 0, resent: 0, confirming: 0 };
    commit(now, [{ at: now, metrics: values }]);
  }
  return { device, ...counts };
}

it.each([
  ["400 metrics a minute", MINUTE_MS, 400, 15 * MINUTE_MS],
  ["10 metrics every minute", MINUTE_MS, 10, 6 * HOUR_MS],
  ["50 metrics every minute", MINUTE_MS, 50, HOUR_MS],
  ["300 metrics every 15 min", 15 * MINUTE_MS, 300, HOUR_MS],
  ["11 metrics an hour", HOUR_MS, 11, 6 * HOUR_MS],
  ["a reading every two hours", 2 * HOUR_MS, 1, 6 * HOUR_MS],
])("[D40] [D21] %s: the alarm is set once a bucket, and never fires", (_, everyMs, metrics, bucketMs) => {
  const settlingHours = bucketMs > HOUR_MS ? 12 : 2;
  const hours = everyMs === MINUTE_MS ? 6 : 24;
  const { set, fired, blocks } = live(everyMs, metrics, settlingHours + hours, settlingHours);
  expect(fired).toBe(0);
  expect(blocks).toBe((hours * HOUR_MS) / bucketMs);
  expect(set).toBe(blocks);
});

it("[D40] [D41] a slow device that sleeps between its reports sends no block twice", () => {
  for (const everyMs of [10 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS, 24 * HOUR_MS]) {
    const { blocks, resent, confirming } = live(everyMs, 1, 10 * 24);
    expect(resent).toBeLessThanOrEqual(1); // of its first bucket, of an hour
    expect(confirming).toBeLessThanOrEqual(blocks + 1);
  }
});

it("[D40] one reading a day costs two alarms a day: one seals, one finds that storage has it", () => {
  const { set, fired, blocks } = live(24 * HOUR_MS, 1, 30 * 24);
  expect({ set, fired, blocks }).toEqual({ set: 59, fired: 58, blocks: 29 });
});

it("[D40] a device that falls silent is woken to seal its last block", () => {
  const { device } = live(MINUTE_MS, 50, 3);
  const { state } = device;
  expect(state.open).not.toHaveLength(0);
  const due = Math.min(...state.open.map((open) => sealDueAt(open, state.device, TIMING)));
  expect(state.alarmAt).toBe(due + TIMING.sealFallbackMs);
});

it("[D13] an unconfirmed block wakes the object when no commit sees to it, by the wall clock", () => {
  const device = new FakeDevice({}, TIMING);
  device.commit(START_MS, [{ at: START_MS, metrics: { a: 1 } }]);
  device.state.clockOffsetMs = -5_000;
  device.commit(START_MS + 1, [], true);
  const sentAt = START_MS + 1 - device.state.clockOffsetMs;
  const [pending] = device.state.outbox;
  expect(pending!.resendAt).toBe(sentAt + TIMING.resendMs);
  expect(nextAlarmAt(device.state, TIMING)).toBe(
    pending!.resendAt + TIMING.outboxSlackMs + device.state.clockOffsetMs,
  );
});

it("[D40] [D13] what is set is not known once the alarm noted is past: it is set again", () => {
  const device = new FakeDevice({}, TIMING);
  const reports = [{ at: START_MS, metrics: { a: 1 } }];
  device.commit(START_MS, reports);
  for (const pastMs of [0, 1, 11 * MINUTE_MS]) {
    device.state.alarmAt = device.state.alarmWallAt = START_MS - pastMs;
    expect(planAlarm(device.state, START_MS, TIMING, false)).toBe(nextAlarmAt(device.state, TIMING));
  }
  device.state.alarmAt = device.state.alarmWallAt = START_MS + 1;
  expect(planAlarm(device.state, START_MS, TIMING, false)).toBeUndefined();
});

it("[D13] an alarm that was early enough is moved when the clock of a local run has moved away from it", () => {
  const local = { ...TIMING, resendMs: 15_000, outboxSlackMs: 0 };
  const device = new FakeDevice({}, local);
  device.commit(START_MS, [{ at: START_MS, metrics: { a: 1 } }], true);
  device.state.alarmAt = START_MS + 10 * MINUTE_MS;
  device.state.alarmWallAt = START_MS + 10 * MINUTE_MS;
  device.state.clockOffsetMs = 3 * 24 * HOUR_MS; // the wall clock stands still, the recording is three days on
  const [pending] = device.state.outbox;
  const due = pending!.resendAt + device.state.clockOffsetMs;
  expect(planAlarm(device.state, START_MS + 3 * 24 * HOUR_MS, local, false)).toBe(due);
});

it("[D40] an object without open or unconfirmed blocks sets no alarm", () => {
  const device = new FakeDevice({}, TIMING);
  expect(planAlarm(device.state, START_MS, TIMING, false)).toBeUndefined();
});

it("[D40] a recording played hour by hour does not move its alarm with each hour", () => {
  const local = { ...TIMING, sealFallbackMs: 0, spreadMs: MINUTE_MS };
  const device = new FakeDevice({}, local);
  let set = 0;
  for (let hour = 0; hour < 48; hour++) {
    const now = START_MS + hour * HOUR_MS;
    device.state.clockOffsetMs = now - START_MS; // the wall clock stands still meanwhile
    const { alarmWallAt } = device.commit(now, [{ at: now, metrics: { a: hour } }]);
    if (alarmWallAt !== undefined) set += 1;
  }
  expect(set).toBe(1);
});
