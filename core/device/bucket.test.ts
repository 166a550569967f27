import { describe, expect, it } from "vitest";
import type { PackedReports } from "../../schemas/message.ts";
import { applyReports } from "./apply.ts";
import { bucketOf } from "./bucket.ts";
import { FakeDevice, HOUR_MS, MapRing, packed, type Sent, START_MS } from "./fake-device.ts";
import { markTaken } from "./retain.ts";
import type { RingEntry } from "./ring.ts";
import { sealDueAt } from "./seal.ts";

const MINUTE_MS = 60_000;
const QUARTER_MS = 15 * MINUTE_MS;
const SIX_HOURS_MS = 6 * HOUR_MS;
const now = START_MS + 24 * HOUR_MS;

const metricsOf = (count: number, value = 1) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, value]));
const report = (at: number, metrics = 1): Sent => ({ at, metrics: metricsOf(metrics) });
const spansOf = (device: FakeDevice) =>
  [...device.ring.rows.values(), ...device.state.open.map(({ mark }) => mark)]
    .map(({ startMs, endMs }) => [startMs - START_MS, endMs - START_MS])
    .sort((a, b) => a[0]! - b[0]!);
const newestSpan = (device: FakeDevice) => spansOf(device).at(-1);

/** A device whose first block, at START, has `readings` from its first instant on. */
function deviceWith(readings: number) {
  const device = new FakeDevice();
  device.commit(now, [report(START_MS, Math.min(readings, 1_000))]);
  for (let left = readings - 1_000, at = START_MS; left > 0; left -= 1_000)
    device.commit(now, [report(++at, Math.min(left, 1_000))]);
  return device;
}

/** The readings of its first block, so much later. */
function shift(device: FakeDevice, ms: number): void {
  for (const { at } of device.state.open[0]!.columns().values()) {
    for (let i = 0; i < at.length; i++) at[i]! += ms;
  }
}

describe("the length of a bucket", () => {
  it("[D21] is an hour for a device that was never measured", () => {
    expect(spansOf(deviceWith(1))).toEqual([[0, HOUR_MS]]);
  });

  it.each([
    ["a reading a day", 1, 24 * HOUR_MS, SIX_HOURS_MS],
    ["11 metrics an hour", 11, HOUR_MS, SIX_HOURS_MS],
    ["600 an hour", 600, HOUR_MS, SIX_HOURS_MS],
    ["601 an hour", 601, HOUR_MS, HOUR_MS],
    ["10 metrics every 10 s", 3_600, HOUR_MS, HOUR_MS],
    ["19,999 an hour", 19_999, HOUR_MS, HOUR_MS],
    ["20,000 an hour", 20_000, HOUR_MS, QUARTER_MS],
    ["1,000 a second", 60_000, MINUTE_MS, QUARTER_MS],
  ])(
    "[D21] after %s: %d readings until %d ms after the first, the next is %d ms",
    (_, readings, ms, bucketMs) => {
      const device = deviceWith(readings);
      const at = START_MS + Math.max(ms, HOUR_MS);
      if (ms < HOUR_MS) shift(device, HOUR_MS - ms);
      device.commit(now, [report(at)]);
      const bucketStartMs = Math.floor(at / bucketMs) * bucketMs;
      expect(device.state.bucketMs).toBe(bucketMs);
      expect(newestSpan(device)).toEqual([
        Math.max(HOUR_MS, bucketStartMs - START_MS),
        bucketStartMs - START_MS + bucketMs,
      ]);
    },
  );

  it("[D21] is measured the same whether the block before is open or sealed, in memory or after a sleep", () => {
    for (const sealed of [false, true]) {
      for (const evicted of [false, true]) {
        const device = deviceWith(20_000);
        if (sealed) device.commit(now, [], true);
        if (evicted) device.evict();
        device.commit(now, [report(START_MS + HOUR_MS)]);
        expect(device.state.bucketMs).toBe(QUARTER_MS);
      }
    }
  });

  it("[D21] follows the rate, up and down, at the latest with the second bucket", () => {
    const device = new FakeDevice();
    let at = START_MS;
    const lengths = [3_600, 12, 24_000, 3_600, 12].map((readingsAnHour) => {
      for (const endMs = at + 12 * HOUR_MS; at < endMs; at += QUARTER_MS) {
        const metrics = Math.min(1_000, readingsAnHour / 4);
        const reports = readingsAnHour / 4 / metrics;
        device.commit(
          at,
          Array.from({ length: reports }, (_, i) => report(at + i, metrics)),
        );
      }
      return device.state.bucketMs;
    });
    expect(lengths).toEqual([HOUR_MS, SIX_HOURS_MS, QUARTER_MS, HOUR_MS, SIX_HOURS_MS]);
  });

  it("[D21] is not measured by a block in which every reading was refused", () => {
    const device = new FakeDevice();
    device.commit(now, [report(START_MS, 1_000)]);
    device.commit(now, [{ at: START_MS + 1, metrics: { more: 1 } }], true);
    expect(device.state.measured).toMatchObject({ firstAt: START_MS, readings: 1_000 });
  });
});

describe("the span of a new block", () => {
  /** A device with blocks [0 h, 1 h) and [1 h, 6 h), sealed or open. */
  function deviceWithTwo(sealed: boolean) {
    const device = deviceWith(11);
    device.commit(now, [report(START_MS + 2 * HOUR_MS)], sealed);
    expect(spansOf(device)).toEqual([
      [0, HOUR_MS],
      [HOUR_MS, SIX_HOURS_MS],
    ]);
    return device;
  }

  it.each([false, true])("[D21] is its bucket less what other blocks hold (sealed: %s)", (sealed) => {
    const device = deviceWithTwo(sealed);
    device.commit(now, [report(START_MS + 8 * HOUR_MS)]);
    expect(newestSpan(device)).toEqual([SIX_HOURS_MS, 2 * SIX_HOURS_MS]);
  });

  it.each([false, true])("[D21] fills a gap between blocks and no more (sealed: %s)", (sealed) => {
    const device = new FakeDevice();
    device.commit(now, [report(START_MS)], sealed);
    device.commit(now, [report(START_MS + 5 * HOUR_MS, 100)], sealed);
    expect(spansOf(device)).toEqual([
      [0, HOUR_MS],
      [HOUR_MS, SIX_HOURS_MS],
    ]);
    device.state.bucketMs = HOUR_MS;
    device.commit(now, [report(START_MS - HOUR_MS)], sealed); // an older one, of the length in use
    expect(spansOf(device)[0]).toEqual([-HOUR_MS, 0]);
    device.state.bucketMs = SIX_HOURS_MS;
    device.commit(now, [report(START_MS - 5 * HOUR_MS)], sealed);
    expect(spansOf(device).slice(0, 2)).toEqual([
      [-SIX_HOURS_MS, -HOUR_MS],
      [-HOUR_MS, 0],
    ]);
  });

  it("[D21] [D26] does not reach back before what was given up: storage has blocks of that name", () => {
    const device = deviceWith(11);
    device.state.evictedThroughMs = START_MS + HOUR_MS + 1;
    device.state.open = [];
    device.state.measured = { startMs: START_MS, firstAt: START_MS, readings: 1 };
    device.commit(now, [report(START_MS + 2 * HOUR_MS)]);
    expect(newestSpan(device)).toEqual([HOUR_MS + 1, SIX_HOURS_MS]);
  });

  it("[D21] asks the ring only for an instant before what was sealed last", () => {
    const device = deviceWith(11);
    device.commit(now, [], true);
    let asked = 0;
    const take = (reports: PackedReports) =>
      applyReports(device.state, reports, markTaken(device.state, reports), ring);
    const ring = new (class extends MapRing {
      override entries(): readonly RingEntry[] {
        asked += 1;
        return device.ring.entries();
      }
    })();
    for (let hour = 1; hour < 100; hour++) take(packed(now, [report(START_MS + hour * HOUR_MS)]));
    expect(asked).toBe(0);
    take(packed(now, [report(START_MS - 1)]));
    expect(asked).toBeGreaterThan(0);
  });
});

describe("when a block of a bucket is due", () => {
  const timing = { spreadMs: 50 * MINUTE_MS, resendMs: MINUTE_MS };

  it.each([
    [QUARTER_MS, QUARTER_MS],
    [HOUR_MS, 50 * MINUTE_MS],
    [SIX_HOURS_MS, 50 * MINUTE_MS],
  ])(
    "[D39] [D21] of %d ms: a minute and a share of %d ms after the end of the bucket, cut or not",
    (bucketMs, spreadMs) => {
      const shareOf = (device: string, parts: Partial<{ startMs: number; endMs: number }>) => {
        const open = deviceWith(1).state.open[0]!;
        Object.assign(open.mark, { openedAt: START_MS, bucketMs, endMs: START_MS + bucketMs, ...parts });
        return (sealDueAt(open, device, timing) - START_MS - bucketMs - MINUTE_MS) / spreadMs;
      };
      const shares = Array.from({ length: 200 }, (_, i) => shareOf(`pump-${i}`, {}));
      expect(Math.min(...shares)).toBeGreaterThanOrEqual(0);
      expect(Math.min(...shares)).toBeLessThan(0.05);
      expect(Math.max(...shares)).toBeGreaterThan(0.95);
      expect(Math.max(...shares)).toBeLessThan(1);
      for (const part of [{ startMs: START_MS + 7 }, { endMs: START_MS + 7 }])
        expect(shareOf("pump-1", part)).toBe(shareOf("pump-1", {}));
    },
  );

  it.each([
    [0, QUARTER_MS, QUARTER_MS],
    [QUARTER_MS - 1, QUARTER_MS, QUARTER_MS],
    [0, QUARTER_MS + 1, HOUR_MS],
    [7, HOUR_MS, HOUR_MS],
    [HOUR_MS - 1, HOUR_MS + 1, SIX_HOURS_MS],
    [HOUR_MS, SIX_HOURS_MS, SIX_HOURS_MS],
  ])("[D21] a block from the ring, [%d, %d), counts as one of %d ms", (startMs, endMs, bucketMs) => {
    expect(bucketOf(START_MS + startMs, START_MS + endMs)).toBe(bucketMs);
  });
});
