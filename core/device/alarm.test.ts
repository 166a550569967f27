import { expect, it } from "vitest";
import { type AlarmTiming, nextAlarmAt, planAlarm } from "./alarm.ts";
import { FakeDevice, HOUR_MS, START_MS } from "./fake-device.ts";
import { confirm } from "./outbox.ts";
import { sealDueAt } from "./seal.ts";

const MINUTE_MS = 60_000;
const TIMING: AlarmTiming = {
  spreadMs: 50 * MINUTE_MS,
  resendMs: 15 * MINUTE_MS,
  sealFallbackMs: 20 * MINUTE_MS,
  outboxSlackMs: 80 * MINUTE_MS,
};

/** A device that reports every `everyMs` for `hours`: how often its alarm is set, and how often it fires. */
function live(everyMs: number, hours: number, clockOffsetMs = 0) {
  const device = new FakeDevice({}, TIMING);
  device.state.clockOffsetMs = clockOffsetMs;
  let set = 0;
  let fired = 0;
  const commit = (now: number, reports: { at: number; metrics: Record<string, number> }[]) => {
    const { sealed } = device.commit(now, reports);
    for (const { startMs, revision } of sealed) confirm(device.state, [{ startMs, revision }]);
    const alarmAt = planAlarm(device.state, now, TIMING, sealed.length > 0);
    if (alarmAt === undefined) return;
    device.state.alarmAt = alarmAt;
    set += 1;
  };
  for (let now = START_MS; now < START_MS + hours * HOUR_MS; now += everyMs) {
    const { alarmAt } = device.state;
    if (alarmAt !== null && alarmAt <= now) {
      device.state.alarmAt = null;
      fired += 1;
      commit(alarmAt, []);
    }
    commit(now, [{ at: now, metrics: { a: now } }]);
  }
  return { device, set, fired };
}

it("[D8] a reporting device has its alarm set once a bucket, and it never fires", () => {
  for (const everyMs of [10_000, MINUTE_MS, 15 * MINUTE_MS]) {
    const { set, fired } = live(everyMs, 24);
    expect(fired).toBe(0);
    expect(set).toBeGreaterThanOrEqual(22);
    expect(set).toBeLessThanOrEqual(25);
  }
});

it("[D8] a device that falls silent is woken to seal its last block", () => {
  const { device } = live(MINUTE_MS, 3);
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

it("[D8] an alarm that is long past was lost, and is set again", () => {
  const device = new FakeDevice({}, TIMING);
  const reports = [{ at: START_MS, metrics: { a: 1 } }];
  device.commit(START_MS, reports);
  device.state.alarmAt = START_MS - 11 * MINUTE_MS;
  device.state.alarmWallAt = device.state.alarmAt;
  expect(planAlarm(device.state, START_MS, TIMING, false)).toBe(nextAlarmAt(device.state, TIMING));
  device.state.alarmWallAt = START_MS - 9 * MINUTE_MS;
  expect(planAlarm(device.state, START_MS, TIMING, false)).toBeUndefined();
});

it("[D8] an object without open or unconfirmed blocks sets no alarm", () => {
  const device = new FakeDevice({}, TIMING);
  expect(planAlarm(device.state, START_MS, TIMING, false)).toBeUndefined();
});

it("[D8] a recording played hour by hour does not move its alarm with each hour", () => {
  expect(live(HOUR_MS, 24 * 7).set).toBeLessThanOrEqual(24 * 7);
  const local = { ...TIMING, sealFallbackMs: 0, spreadMs: MINUTE_MS };
  const device = new FakeDevice({}, local);
  let set = 0;
  for (let hour = 0; hour < 48; hour++) {
    const now = START_MS + hour * HOUR_MS;
    const { sealed } = device.commit(now, [{ at: now, metrics: { a: hour } }]);
    const alarmAt = planAlarm(device.state, now, local, sealed.length > 0);
    if (alarmAt !== undefined) {
      set += 1;
      device.state.alarmAt = alarmAt;
    }
  }
  expect(set).toBe(1);
});
