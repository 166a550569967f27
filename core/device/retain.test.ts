import { describe, expect, it } from "vitest";
import { decodeBlock } from "../block/decode.ts";
import { rawFromMs } from "../retention.ts";
import { FakeDevice, HOUR_MS, type Sent, START_MS } from "./fake-device.ts";
import { readHot } from "./hot.ts";
import { giveUpExpired, handOver } from "./retain.ts";

const DAY_MS = 24 * HOUR_MS;
const ALWAYS = Number.MAX_SAFE_INTEGER;
/** Two days are kept. */
const SETTINGS = {
  latenessHorizonMs: DAY_MS,
  retention: { rawDays: 2, hourlyDays: 365, archiveDays: null },
};

const reading = (at: number): Sent => ({ at, metrics: { m: at - START_MS } });
const hot = (device: FakeDevice, nowMs: number) => readHot(device.state, device.ring, "m", 0, ALWAYS, nowMs);
const confirmAll = (device: FakeDevice) => {
  device.state.outbox = [];
};

/** A device with four blocks of six hours from START on, sealed, and silent since. */
function silentDevice() {
  const device = new FakeDevice(SETTINGS);
  for (let hour = 0; hour < 24; hour++)
    device.commit(START_MS + hour * HOUR_MS, [reading(START_MS + hour * HOUR_MS)]);
  device.commit(START_MS + DAY_MS, [], true);
  return device;
}

it.each([
  [DAY_MS, 2, 2 * DAY_MS],
  [3 * DAY_MS, 2, 3 * DAY_MS],
])(
  "[D43] with a horizon of %d ms and %d days of raw readings, %d ms are kept",
  (latenessHorizonMs, rawDays, keptMs) => {
    const retention = { ...SETTINGS.retention, rawDays };
    const { state } = new FakeDevice({ latenessHorizonMs, retention });
    expect(START_MS - rawFromMs(state.settings, START_MS)).toBe(keptMs);
  },
);

describe("a sweep of a silent device", () => {
  it("[D43] [D34] deletes the blocks that end before what is kept, and no other", () => {
    const device = silentDevice();
    confirmAll(device);
    const secondEndMs = [...device.ring.rows.values()].map(({ endMs }) => endMs).sort((a, b) => a - b)[1]!;
    const before = device.ring.rows.size;
    device.sweep(secondEndMs + 2 * DAY_MS - 1);
    expect(device.ring.rows.size).toBe(before - 1);
    device.sweep(secondEndMs + 2 * DAY_MS);
    expect(device.ring.rows.size).toBe(before - 2);
    expect(device.state.evictedThroughMs).toBe(secondEndMs);
    expect(hot(device, secondEndMs + 2 * DAY_MS)).toMatchObject({ hotFromMs: secondEndMs });
    device.sweep(START_MS + 9 * DAY_MS);
    expect(device.ring.rows.size).toBe(0);
  });

  it("[D43] [D12] gives up nothing unconfirmed, and nothing newer than that", () => {
    const device = silentDevice();
    const [, second] = device.state.outbox;
    device.state.outbox = [second!];
    device.sweep(START_MS + 9 * DAY_MS);
    expect([...device.ring.rows.values()].every(({ startMs }) => startMs >= second!.startMs)).toBe(true);
    expect(device.state.evictedThroughMs).toBe(second!.startMs);
    confirmAll(device);
    device.sweep(START_MS + 9 * DAY_MS);
    expect(device.ring.rows.size).toBe(0);
  });

  it.each([
    ["open again", START_MS + 13 * HOUR_MS + 1],
    ["older than all of the ring", START_MS - HOUR_MS],
  ])("[D43] gives up nothing newer than a block in the making, %s", (_, at) => {
    const device = silentDevice();
    confirmAll(device);
    const { settings } = device.state;
    device.state.settings = { ...settings, latenessHorizonMs: 90 * DAY_MS };
    device.commit(START_MS + 1.5 * DAY_MS, [reading(at)]);
    device.state.settings = settings;
    const [open] = device.state.open;
    const deleted = giveUpExpired(device.state, device.ring, START_MS + 9 * DAY_MS);
    expect(device.state.evictedThroughMs).toBeLessThanOrEqual(open!.mark.startMs);
    expect(deleted).toEqual([]); // it reports: its next blocks take the slots
  });
});

it("[D44] what is older than is kept is hidden before a sweep, when storage has it", () => {
  const device = silentDevice();
  const now = START_MS + 9 * DAY_MS;
  expect(hot(device, now)).toMatchObject({ hotFromMs: 0 });
  expect(hot(device, now).at).toHaveLength(24);
  confirmAll(device);
  expect(hot(device, now)).toMatchObject({ hotFromMs: now - 2 * DAY_MS });
  expect(hot(device, now).at).toHaveLength(0);
  expect([...hot(device, START_MS + 2 * DAY_MS + 5 * HOUR_MS).at][0]).toBe(START_MS + 5 * HOUR_MS);
});

describe("a device that reports for weeks and is swept", { timeout: 60_000 }, () => {
  it.each([
    ["every hour, swept hourly", HOUR_MS, 1, HOUR_MS],
    ["every hour, swept daily", HOUR_MS, 1, DAY_MS],
    ["700 metrics every hour, swept daily", HOUR_MS, 700, DAY_MS],
    ["700 metrics every hour, swept every five days", HOUR_MS, 700, 5 * DAY_MS],
  ])(
    "[D43] [D44] %s: slots are refilled and hardly any is deleted, hot is what is kept, storage has it all",
    (_, everyMs, metrics, sweepEveryMs) => {
      const device = new FakeDevice(SETTINGS);
      const stored = new Map<number, number[]>();
      const more = Object.fromEntries(Array.from({ length: metrics - 1 }, (_, i) => [`m${i}`, 1]));
      const days = metrics === 1 ? 30 : 13;
      let deleted = 0;
      let sweepsThatWrote = 0;
      let slotsMax = 0;
      let now = START_MS;
      const store = () => {
        for (const { slot } of device.state.outbox) {
          const row = device.ring.rows.get(slot)!;
          stored.set(row.startMs, [
            ...decodeBlock(row.block).columns.find(({ metric }) => metric === "m")!.at,
          ]);
        }
        confirmAll(device);
      };
      for (; now < START_MS + days * DAY_MS; now += everyMs) {
        device.commit(now, [{ at: now, metrics: { m: now - START_MS, ...more } }]);
        store();
        if ((now - START_MS) % sweepEveryMs === 0) {
          const before = device.state.evictedThroughMs;
          deleted += device.sweep(now).length;
          if (device.state.evictedThroughMs > before) sweepsThatWrote += 1;
        }
        slotsMax = Math.max(slotsMax, device.ring.rows.size);
      }
      device.evict();
      const keptFromMs = now - 2 * DAY_MS;
      const { at, hotFromMs } = hot(device, now);
      expect(hotFromMs).toBe(Math.max(keptFromMs, device.state.evictedThroughMs));
      expect(at[0]).toBe(Math.ceil(hotFromMs / everyMs) * everyMs);
      expect(at).toHaveLength((now - at[0]!) / everyMs);
      device.commit(now, [], true);
      store();
      expect([...stored.values()].flat()).toHaveLength((days * DAY_MS) / everyMs);
      const blocksADay = metrics === 1 ? 4 : 24;
      expect(deleted).toBeLessThanOrEqual(days);
      expect(sweepsThatWrote).toBeLessThanOrEqual(days);
      expect(slotsMax).toBeLessThanOrEqual((3 + sweepEveryMs / DAY_MS) * blocksADay + 2);
    },
  );
});

describe("a range handed over", () => {
  const beforeMs = START_MS + 12 * HOUR_MS;
  const now = START_MS + 2 * DAY_MS;

  it("[D26] is refused while it is within the horizon", () => {
    const device = silentDevice();
    expect(() => handOver(device.state, now - DAY_MS + 1, now)).toThrow(/lateness horizon \(1 days\)/);
    expect(() => handOver(device.state, now - DAY_MS, now)).not.toThrow();
    expect(() => handOver(device.state, Number.NaN, now)).toThrow();
  });

  it("[D26] waits for every block that begins before it, open ones too", () => {
    const device = silentDevice();
    const early = device.state.outbox.filter(({ startMs }) => startMs < beforeMs).length;
    expect(handOver(device.state, beforeMs, now)).toEqual({ pending: early });
    confirmAll(device);
    device.commit(START_MS + DAY_MS, [reading(START_MS + 7 * HOUR_MS + 1)]);
    expect(handOver(device.state, beforeMs, now)).toEqual({ pending: 1 });
    expect(device.state.evictedThroughMs).toBe(0);
    device.commit(now, [], true);
    confirmAll(device);
    expect(handOver(device.state, beforeMs, now)).toEqual({ pending: 0 });
    expect(device.state.evictedThroughMs).toBe(beforeMs);
  });

  it("[D26] is in no hot answer any more, and too old for good, with the horizon in the message", () => {
    const device = silentDevice();
    confirmAll(device);
    handOver(device.state, beforeMs, now);
    device.state.settings = { ...device.state.settings, latenessHorizonMs: 90 * DAY_MS };
    expect([...hot(device, now).at][0]).toBe(beforeMs);
    const { counts, problems } = device.commit(now, [reading(beforeMs - 1), reading(beforeMs)]);
    expect(counts).toEqual([0, 1, 0, 0, 0, 1]);
    expect(problems).toMatchObject([
      { code: "too_old", message: expect.stringContaining("lateness horizon") },
    ]);
    expect(handOver(device.state, beforeMs - DAY_MS, now + 90 * DAY_MS)).toEqual({
      pending: 0,
    });
    expect(device.state.evictedThroughMs).toBe(beforeMs);
  });

  it("[D26] leaves its slots to the next blocks", () => {
    const device = silentDevice();
    confirmAll(device);
    handOver(device.state, beforeMs, now);
    const free = [...device.ring.rows.values()].filter(({ endMs }) => endMs <= beforeMs);
    const before = device.ring.rows.size;
    device.commit(now, [reading(now)], true);
    expect(free.length).toBeGreaterThan(0);
    expect(device.ring.rows.size).toBe(before);
    expect(hot(device, now).at).toHaveLength(13);
  });
});
