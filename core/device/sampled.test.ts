import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultSettings } from "../../schemas/tenant.ts";
import { decodeBlock } from "../block/decode.ts";
import { countReports } from "../report/pack.ts";
import { rollupOf } from "../window/pack-summary.ts";
import { admit } from "./allowance.ts";
import { FakeDevice, HOUR_MS, noise, packed, type Sent, START_MS } from "./fake-device.ts";
import { readHot } from "./hot.ts";

const MINUTE_MS = 60_000;
const NOW = START_MS + 30 * MINUTE_MS;

function deviceOf(perSecond: number, burst: number): FakeDevice {
  const limits = {
    ...defaultSettings.limits,
    reportsPerSecondPerDevice: perSecond,
    burstPerDevice: burst,
  };
  return new FakeDevice({ excess: "sample", limits });
}

/** Sends a request at `now`; returns its verdicts, and how many readings were thinned. */
function send(device: FakeDevice, now: number, reports: readonly Sent[]) {
  const { taken, thinned } = admit(device.state, packed(now, reports), now);
  return { ...device.commitPacked(now, taken!), thinned, taken: taken! };
}

const read = (device: FakeDevice, metric = "a") =>
  readHot(device.state, device.ring, metric, START_MS, START_MS + HOUR_MS, NOW);

/** What a minute has: readings kept and counted, the least and the greatest. */
function minutesOf(device: FakeDevice) {
  const { at, value, thinned = [] } = read(device);
  const minutes = new Map<number, { count: number; min: number; max: number }>();
  const minuteOf = (ms: number) => {
    const start = Math.floor(ms / MINUTE_MS) * MINUTE_MS;
    const fresh = { count: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
    return minutes.get(start) ?? minutes.set(start, fresh).get(start)!;
  };
  for (const [index, ms] of at.entries()) {
    const minute = minuteOf(ms);
    minute.count += 1;
    minute.min = Math.min(minute.min, value[index]!);
    minute.max = Math.max(minute.max, value[index]!);
  }
  for (const { at: ms, count } of thinned) minuteOf(ms).count += count;
  return minutes;
}

const all = (minutes: ReturnType<typeof minutesOf>) =>
  [...minutes.values()].reduce((sum, { count }) => sum + count, 0);

/** Each distinct reading kept: what a device without a limit has. */
function unlimited(reports: readonly Sent[]) {
  const device = new FakeDevice();
  device.commit(NOW, reports);
  return minutesOf(device);
}

const sent = fc
  .uniqueArray(
    fc.record({ at: fc.integer({ min: 0, max: 4 * MINUTE_MS }), a: fc.integer({ min: -5, max: 5 }) }),
    {
      selector: ({ at }) => at,
      minLength: 1,
      maxLength: 80,
    },
  )
  .map((reports) => reports.map(({ at, a }): Sent => ({ at: START_MS + at, metrics: { a, b: -a } })));

/** How a run of reports is sent: in requests of so many, each again so often, after so long. */
const run = fc.record({
  size: fc.integer({ min: 1, max: 30 }),
  again: fc.integer({ min: 0, max: 2 }),
  afterMs: fc.constantFrom(0, 100, 5_000),
  perSecond: fc.constantFrom(0.001, 0.5, 5),
  burst: fc.integer({ min: 1, max: 20 }),
  evicts: fc.boolean(),
  seals: fc.boolean(),
});

function play(
  reports: readonly Sent[],
  how: typeof run extends fc.Arbitrary<infer T> ? T : never,
): FakeDevice {
  const device = deviceOf(how.perSecond, how.burst);
  let now = NOW;
  for (let i = 0; i < reports.length; i += how.size) {
    const request = reports.slice(i, i + how.size);
    for (let time = 0; time <= how.again; time++) {
      now += how.afterMs;
      const { counts } = send(device, now, request);
      expect(counts.reduce((a, b) => a + b)).toBe(2 * request.length);
      if (how.seals && i % 3 === 0) device.commit(now, [], true);
      if (how.evicts) device.evict();
    }
  }
  return device;
}

describe("what is beyond the rate, where the tenant has it thinned", () => {
  it("[F28] is kept or counted, each reading once, however often it is sent, and each minute has its extremes", () => {
    fc.assert(
      fc.property(sent, run, (reports, how) => {
        const inOrder = reports.toSorted((a, b) => a.at - b.at);
        expect(minutesOf(play(inOrder, how))).toEqual(unlimited(reports));
      }),
    );
  });

  it("[F29] in any order is never more than was sent, and each minute has its extremes", () => {
    fc.assert(
      fc.property(sent, run, (reports, how) => {
        const [got, wanted] = [minutesOf(play(reports, how)), unlimited(reports)];
        for (const [startMs, { count, min, max }] of wanted) {
          expect(got.get(startMs)).toMatchObject({ min, max });
          expect(got.get(startMs)!.count).toBeLessThanOrEqual(count);
        }
      }),
    );
  });

  it("[F30] is spread evenly over the request, and the same ones are kept each time", () => {
    const reports = Array.from({ length: 100 }, (_, i): Sent => ({ at: START_MS + i, metrics: { a: 0 } }));
    const kept = () => {
      const { taken, thinned } = send(deviceOf(1, 10), NOW, reports);
      expect([countReports(taken), thinned]).toEqual([100, 90]);
      const excess = new Set(taken.excess);
      return reports.flatMap((_, index) => (excess.has(index) ? [] : [index]));
    };
    expect(kept()).toEqual([9, 19, 29, 39, 49, 59, 69, 79, 89, 99]);
    expect(kept()).toEqual(kept());
  });

  it("[F31] keeps of a value that only rises no more than two readings a minute", () => {
    const device = deviceOf(0.001, 1);
    for (let i = 0; i < 500; i++) send(device, NOW, [{ at: START_MS + i, metrics: { a: i } }]);
    const { at, thinned } = read(device);
    expect(Array.from(at)).toEqual([START_MS, START_MS + 499]);
    expect(thinned).toEqual([{ at: START_MS, count: 498 }]);
  });

  it("[F28] adds nothing when the same request comes again, also to a block that was sealed and opened again", () => {
    const reports = noise(300).map((a, i): Sent => ({ at: START_MS + i * 100, metrics: { a } }));
    const device = deviceOf(0.001, 20);
    expect(send(device, NOW, reports).counts).toEqual([300, 0, 0, 0, 0, 0]);
    device.commit(NOW, [], true);
    const before = read(device);
    expect(send(device, NOW, reports).counts).toEqual([0, 300, 0, 0, 0, 0]);
    expect(read(device)).toEqual({ ...before, unsettledFromMs: read(device).unsettledFromMs });
  });

  it("[F28] what was thinned is counted no more when it is sent again within the rate, and kept", () => {
    const reports = noise(50).map((a, i): Sent => ({ at: START_MS + i, metrics: { a } }));
    const device = deviceOf(1, 50);
    send(device, NOW, [...reports, ...reports]);
    expect(read(device).thinned).toBeDefined();
    const later = NOW + HOUR_MS;
    expect(send(device, later, reports).thinned).toBe(0);
    expect(Array.from(read(device).at)).toEqual(reports.map(({ at }) => at));
    expect(read(device).thinned).toBeUndefined();
  });

  it("[F32] is in the rollups of the blocks, also of one that was cut inside a minute", () => {
    const device = deviceOf(1_000, 9_000);
    const values = noise(40_000);
    for (let i = 0; i < values.length; i += 10_000) {
      const part = values.slice(i, i + 10_000);
      const reports = part.map((a, k): Sent => ({ at: START_MS + (i + k) * 10, metrics: { a } }));
      send(device, NOW + i, reports);
    }
    device.commit(NOW, [], true);
    const blocks = [...device.ring.rows.values()].map(({ block }) => rollupOf(decodeBlock(block)));
    expect(blocks.length).toBeGreaterThan(1);
    const hours = blocks.flatMap((rollup) => rollup.get("a") ?? []);
    expect(blocks.every((rollup) => [...rollup.keys()].join() === "a")).toBe(true);
    const sum = hours.reduce((total, { summary }) => total + summary.count + (summary.thinned ?? 0), 0);
    expect(sum).toBe(values.length);
    expect(all(minutesOf(device))).toBe(values.length);
    expect(hours.some(({ summary }) => summary.thinned !== undefined)).toBe(true);
  });
});
