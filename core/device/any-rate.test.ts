// Devices from one reading a day to a thousand a second: how large what they write becomes.
import { describe, expect, it } from "vitest";
import { BLOCK_BYTES_MAX } from "../block/cut.ts";
import { FakeDevice, HOUR_MS, noise, START_MS } from "./fake-device.ts";
import { readHot } from "./hot.ts";
import { OUTBOX_MAX } from "./outbox.ts";
import { OPEN_BYTES_MAX } from "./seal.ts";
import { encodeState } from "./state.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const QUARTER_MS = 15 * MINUTE_MS;
const SIX_HOURS_MS = 6 * HOUR_MS;
const DAY_MS = 24 * HOUR_MS;
/** A minute before its first bucket ends: the next is made for the rate. */
const BUSY_FROM_MS = START_MS + HOUR_MS - MINUTE_MS;
/** What the state row has beside blocks, outbox and latest: settings, counts, marks. */
const HEADER_BYTES_MAX = 4 * 1024;

interface Life {
  everyMs: number;
  commitEveryMs: number;
  forMs: number;
  metrics?: number;
  fromMs?: number;
  /** How long a report may be under way: they arrive in the order of their arrivals. */
  delayMs?: number;
}

const values = noise(1 << 16);

/** Plays a device of full-precision values, which no encoding makes smaller. */
function live({ everyMs, commitEveryMs, forMs, metrics = 1, fromMs = START_MS, delayMs = 0 }: Life) {
  const device = new FakeDevice();
  const most = { blockBytes: 0, rowBytes: 0, sealed: 0 };
  const note = (sealed: readonly { bytes: number }[]) => {
    const open = device.state.open.map((block) => block.bytes().length);
    most.blockBytes = Math.max(most.blockBytes, ...open, ...sealed.map(({ bytes }) => bytes));
    most.rowBytes = Math.max(most.rowBytes, encodeState(device.state).length);
    most.sealed += sealed.length;
    device.state.outbox = []; // stored at once
  };
  const reports = Array.from({ length: forMs / everyMs }, (_, i) => ({
    at: fromMs + i * everyMs,
    arrivedAt: fromMs + i * everyMs + (Math.abs(values[i & 0xffff]!) / 1_000) * delayMs,
    metrics: Object.fromEntries(
      Array.from({ length: metrics }, (_, m) => [`m${m}`, values[(i * metrics + m) & 0xffff]!]),
    ),
  })).sort((a, b) => a.arrivedAt - b.arrivedAt);
  let next = 0;
  for (let now = fromMs; next < reports.length; now += commitEveryMs) {
    const first = next;
    while (next < reports.length && reports[next]!.arrivedAt < now + commitEveryMs) next += 1;
    note(device.commit(now + commitEveryMs, reports.slice(first, next)).sealed);
  }
  note(device.commit(fromMs + forMs, [], true).sealed);
  return { device, reports: reports.length, ...most };
}

describe("a device of any rate", { timeout: 120_000 }, () => {
  it.each<[string, Life, sealedMax: number, bucketMs: number]>([
    [
      "one reading a day, for a year",
      { everyMs: DAY_MS, commitEveryMs: DAY_MS, forMs: 365 * DAY_MS },
      365,
      SIX_HOURS_MS,
    ],
    [
      "one an hour, for 90 days",
      { everyMs: HOUR_MS, commitEveryMs: HOUR_MS, forMs: 90 * DAY_MS },
      4 * 90 + 1,
      SIX_HOURS_MS,
    ],
    [
      "one a minute, for 10 days",
      { everyMs: MINUTE_MS, commitEveryMs: HOUR_MS, forMs: 10 * DAY_MS },
      4 * 10 + 1,
      SIX_HOURS_MS,
    ],
    [
      "ten every 10 s, for a day",
      { everyMs: 10 * SECOND_MS, metrics: 10, commitEveryMs: QUARTER_MS, forMs: DAY_MS },
      24,
      HOUR_MS,
    ],
    [
      "one a second, for 6 h",
      { everyMs: SECOND_MS, commitEveryMs: MINUTE_MS, forMs: 6 * HOUR_MS },
      7,
      HOUR_MS,
    ],
    [
      "30 a second, for 2 h",
      { everyMs: SECOND_MS, metrics: 30, commitEveryMs: 5 * SECOND_MS, forMs: 2 * HOUR_MS },
      120,
      QUARTER_MS,
    ],
    [
      "1,000 a second, each second a commit, for 3 min",
      { everyMs: 1, commitEveryMs: SECOND_MS, forMs: 3 * MINUTE_MS, fromMs: BUSY_FROM_MS },
      100,
      QUARTER_MS,
    ],
    [
      "1,000 a second, each minute a commit, for 5 min",
      { everyMs: 1, commitEveryMs: MINUTE_MS, forMs: 5 * MINUTE_MS, fromMs: BUSY_FROM_MS },
      180,
      QUARTER_MS,
    ],
    [
      "1,000 a second over a bad line, for 2 min",
      {
        everyMs: 1,
        commitEveryMs: SECOND_MS,
        forMs: 2 * MINUTE_MS,
        delayMs: 10 * SECOND_MS,
        fromMs: BUSY_FROM_MS,
      },
      120,
      QUARTER_MS,
    ],
  ])(
    "[D22] %s: every block and the state row are bounded, nothing is lost",
    (_, life, sealedMax, bucketMs) => {
      const { device, reports, blockBytes, rowBytes, sealed } = live(life);
      expect(blockBytes).toBeLessThanOrEqual(BLOCK_BYTES_MAX);
      expect(rowBytes).toBeLessThanOrEqual(BLOCK_BYTES_MAX + OPEN_BYTES_MAX + HEADER_BYTES_MAX);
      expect(sealed).toBeLessThanOrEqual(sealedMax);
      expect(device.state.bucketMs).toBe(bucketMs);
      const { state, ring } = device;
      const { at } = readHot(state, ring, "m0", 0, Number.MAX_SAFE_INTEGER, START_MS);
      expect(at).toHaveLength(reports);
      expect(state.counts[0]! + state.counts[3]!).toBe(reports * (life.metrics ?? 1));
    },
  );

  it("[D22] a row with everything at its most is far below the 2 MB of a SQLite value", () => {
    const device = new FakeDevice();
    // A thousand metrics of the longest names, at every limit of what a block may have.
    const names = Array.from({ length: 1_000 }, (_, i) => `${i}`.padStart(32, "m"));
    for (let i = 0; i < 40; i++) {
      const metrics = Object.fromEntries(names.map((name, m) => [name, values[(i * 1_000 + m) & 0xffff]!]));
      device.commit(START_MS, [{ at: START_MS - i * 6 * HOUR_MS, metrics }]);
    }
    for (let i = 0; i < 1_000; i++) {
      const name = `${i}`.padStart(128, '"'); // JSON writes two characters for each
      device.commit(START_MS, [{ at: START_MS + i + 1, metrics: { [name]: values[i]! } }]);
    }
    const pending = { startMs: START_MS, slot: 99_999, revision: 9, resendAt: START_MS, attempts: 9 };
    device.state.outbox = new Array(OUTBOX_MAX).fill(pending);
    expect(device.state.latest.size).toBe(1_000);
    expect(encodeState(device.state).length).toBeLessThan(600_000);
  });
});
