// Devices whose clock is wrong: what is stored, what is flagged, what is counted.
import { expect, it } from "vitest";
import { AT_AHEAD_MS_MAX, CLOCK_BEHIND_MS } from "../../schemas/limits.ts";
import { FakeDevice, HOUR_MS, type Sent, START_MS } from "./fake-device.ts";
import { readHot } from "./hot.ts";
import { clockFaultOf, shownLatest } from "./latest.ts";
import { decodeState, encodeState } from "./state.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * HOUR_MS;
const YEAR_MS = 365 * DAY_MS;
const [STORED, DUPLICATE, CORRECTED, LATE, REFUSED] = [0, 1, 2, 3, 5] as const;

/** A device that reports `a` each minute; what its clock shows is `now` + `wrongMs`. */
class WrongClock {
  readonly device = new FakeDevice();
  now = START_MS;
  readonly stored = new Map<number, number>();

  report(wrongMs: number, count = 1): number[] {
    const total = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < count; i++) {
      this.now += MINUTE_MS;
      const at = this.now + wrongMs;
      const { counts } = this.device.commit(this.now, [{ at, metrics: { a: this.now } }]);
      if (counts[REFUSED] === 0) this.stored.set(at, this.now);
      for (const [verdict, n] of counts.entries()) total[verdict]! += n;
    }
    return total;
  }

  get hot(): [at: number, value: number][] {
    const { state, ring } = this.device;
    const { at, value } = readHot(state, ring, "a", 0, Number.MAX_SAFE_INTEGER, this.now);
    return [...at].map((instant, i) => [instant, value[i]!]);
  }

  get expected(): [at: number, value: number][] {
    return [...this.stored].sort(([a], [b]) => a - b);
  }
}

it.each([
  [0, undefined],
  [1, "ahead"],
  [AT_AHEAD_MS_MAX, "ahead"],
  [-CLOCK_BEHIND_MS, undefined],
  [-CLOCK_BEHIND_MS - 1, "behind"],
  [-YEAR_MS, "behind"],
])("[D23] %d ms from its receipt, a reading is %s", (ms, fault) => {
  expect(clockFaultOf(START_MS + ms, START_MS)).toBe(fault);
});

it("[D23] latest says which reading was odd, in the whole and in what changed, after a sleep too", () => {
  const device = new FakeDevice();
  device.commit(START_MS, [
    { at: START_MS, metrics: { right: 1 } },
    { at: START_MS + 1, metrics: { ahead: 1 } },
    { at: START_MS - CLOCK_BEHIND_MS - 1, metrics: { behind: 1 } },
  ]);
  for (let round = 0; round < 2; round++) {
    expect(shownLatest(device.state)).toEqual({
      right: { at: START_MS, value: 1, receivedAt: START_MS },
      ahead: { at: START_MS + 1, value: 1, receivedAt: START_MS, clock: "ahead" },
      behind: { at: START_MS - CLOCK_BEHIND_MS - 1, value: 1, receivedAt: START_MS, clock: "behind" },
    });
    expect(Object.keys(shownLatest(device.state, ["behind", "unknown"]))).toEqual(["behind"]);
    device.evict();
  }
});

it("[D23] readings taken in are counted, each once: no duplicate, nothing refused", () => {
  const device = new FakeDevice();
  const reports: Sent[] = [
    { at: START_MS, metrics: { a: 1, b: 1 } },
    { at: START_MS + 1, metrics: { a: 1, b: 1 } },
    { at: START_MS - DAY_MS, metrics: { a: 1, b: 1, c: 1 } },
    { at: START_MS - 8 * DAY_MS, metrics: { a: 1 } },
  ];
  expect(device.commit(START_MS, reports).counts[REFUSED]).toBe(1);
  expect(device.state.clock).toEqual({ behind: 3, ahead: 2 });
  expect(device.commit(START_MS, reports).counts[DUPLICATE]).toBe(7);
  expect(device.state.clock).toEqual({ behind: 3, ahead: 2 });
  const corrected = device.commit(START_MS, [{ at: START_MS - DAY_MS, metrics: { a: 2, b: 1 } }]);
  expect(corrected.counts[CORRECTED]).toBe(1);
  device.evict();
  expect(device.state.clock).toEqual({ behind: 4, ahead: 2 });
});

it("[D23] a row written before clocks were judged is read, its counts zero", () => {
  const device = new FakeDevice();
  device.commit(START_MS, [{ at: START_MS + 1, metrics: { a: 1 } }]);
  const { clock: _clock, generation: _g, bucketMs: _b, measured: _m, ...older } = device.state;
  const state = decodeState(encodeState(older as typeof device.state));
  expect(state).toMatchObject({
    clock: { behind: 0, ahead: 0 },
    generation: 0,
    bucketMs: HOUR_MS,
    measured: null,
  });
});

it("[D23] [D3] a clock that jumps back a year and returns poisons nothing", () => {
  const clock = new WrongClock();
  expect(clock.report(0, 90)[STORED]).toBe(90);
  const { newestAt, bucketMs, open } = clock.device.state;
  const spans = open.map(({ mark }) => ({ ...mark }));
  const { latest } = clock.device.state;
  const before = new Map(latest);
  clock.now += MINUTE_MS;
  const { counts, problems } = clock.device.commit(clock.now, [
    { at: clock.now - YEAR_MS, metrics: { a: 1, b: 2 } },
  ]);
  expect(counts[REFUSED]).toBe(2);
  expect(problems).toMatchObject([
    { code: "too_old", message: expect.stringContaining("the lateness horizon (7 days)") },
  ]);
  expect(clock.report(-YEAR_MS, 30)[REFUSED]).toBe(30);
  expect(clock.device.state).toMatchObject({ newestAt, bucketMs });
  expect(latest).toEqual(before);
  expect(clock.device.state.open.map(({ mark }) => mark)).toEqual(spans);
  expect(clock.report(0, 90)).toEqual([90, 0, 0, 0, 0, 0]);
  expect(clock.hot).toEqual(clock.expected);
  expect(clock.device.state.clock).toEqual({ behind: 0, ahead: 0 });
});

it("[D23] [D15] a clock that jumps back a day and returns: late in its own blocks, flagged, latest untouched", () => {
  const clock = new WrongClock();
  clock.now += 2 * DAY_MS;
  clock.report(0, 30);
  const { newestAt } = clock.device.state;
  expect(clock.report(-DAY_MS, 90)).toEqual([0, 0, 0, 90, 0, 0]);
  expect(clock.device.state.newestAt).toBe(newestAt);
  expect(shownLatest(clock.device.state).a).toEqual({ at: newestAt, value: newestAt, receivedAt: newestAt });
  expect(clock.report(0, 90)).toEqual([90, 0, 0, 0, 0, 0]);
  expect(clock.report(-DAY_MS, 5)[LATE]).toBe(5);
  expect(clock.device.state.clock).toEqual({ behind: 95, ahead: 0 });
  clock.device.commit(clock.now, [], true);
  expect(clock.hot).toEqual(clock.expected);
});

it("[D23] [D15] a clock up to 10 min ahead loses nothing, and is latest until the time has come", () => {
  const clock = new WrongClock();
  clock.now += 50 * MINUTE_MS;
  clock.report(0, 5);
  const aheadMs = AT_AHEAD_MS_MAX - 1; // over the hour's end, and never an instant that comes again
  expect(clock.report(aheadMs, 3)).toEqual([3, 0, 0, 0, 0, 0]);
  const newestAt = clock.now + aheadMs;
  expect(shownLatest(clock.device.state).a).toMatchObject({ at: newestAt, clock: "ahead" });
  const returned = clock.report(0, 9);
  expect(returned[STORED]! + returned[LATE]!).toBe(9); // late is by event time: the hour had been closed early
  expect(shownLatest(clock.device.state).a).toMatchObject({ at: newestAt });
  expect(clock.report(0, 60)[STORED]).toBe(60);
  expect(shownLatest(clock.device.state).a).toEqual({
    at: clock.now,
    value: clock.now,
    receivedAt: clock.now,
  });
  expect(clock.device.state.clock).toEqual({ behind: 0, ahead: 3 });
  clock.device.commit(clock.now + DAY_MS, [], true);
  expect(clock.hot).toEqual(clock.expected);
});
