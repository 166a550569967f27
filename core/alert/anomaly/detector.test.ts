import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_PACKED_BYTES } from "./detector.ts";
import { type AnyDetector, detectors } from "./index.ts";

const START = Date.parse("2026-03-02T00:00:00Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

type Reading = [at: number, value: number];

const scoresOf = (detector: AnyDetector, readings: readonly Reading[]): number[] => {
  const state = detector.create();
  return readings.map(([at, value]) => detector.score(state, at, value));
};

const wave = (i: number) => Math.sin(i * 12.9898) + Math.sin(i * 78.233);

/** A metric every 5 minutes with a daily swing, some noise and a spike every so often. */
const lively = (count: number, spikeEvery: number): Reading[] =>
  Array.from({ length: count }, (_, i) => [
    START + i * 5 * MINUTE,
    20 + 5 * Math.sin((2 * Math.PI * i) / 288) + wave(i) + (i % spikeEvery === spikeEvery - 1 ? 40 + i : 0),
  ]);

/** Any clock and any values, on top of enough usual ones that a detector speaks. */
const odd: fc.Arbitrary<Reading[]> = fc
  .array(
    fc.tuple(
      fc.oneof(
        { weight: 8, arbitrary: fc.integer({ min: 0, max: 20 * DAY }).map((ms) => START + ms) },
        fc.constantFrom(
          START,
          0,
          -DAY,
          START + 4e12,
          8.64e15,
          -8.64e15,
          Number.NaN,
          Number.POSITIVE_INFINITY,
        ),
      ),
      fc.oneof(
        { weight: 8, arbitrary: fc.double({ min: -100, max: 100, noNaN: true }) },
        fc.double(),
        fc.constantFrom(0, 1e308, -1e308, 5e-324),
      ),
    ),
    { maxLength: 60 },
  )
  .map((tail) => [...lively(400, 97), ...tail]);

describe.each(Object.entries<AnyDetector>(detectors))("the detector %s", (name, detector) => {
  it("is registered under its own name, and its thresholds are in order", () => {
    expect(detector.name).toBe(name);
    expect(detector.warning).toBeGreaterThan(0);
    expect(detector.critical).toBeGreaterThan(detector.warning);
    expect(detector.critical).toBeLessThan(1);
  });

  it("[A40] gives scores in [0, 1], the same each time, whatever the clock and the values", () => {
    fc.assert(
      fc.property(odd, (readings) => {
        const scores = scoresOf(detector, readings);
        for (const score of scores) expect(score >= 0 && score <= 1).toBe(true);
        expect(scoresOf(detector, readings)).toEqual(scores);
      }),
      { numRuns: 50 },
    );
  });

  it("[A40] goes on as if never stopped when packed and unpacked between any two readings", () => {
    fc.assert(
      fc.property(odd, fc.integer({ min: 1, max: 60 }), (readings, every) => {
        let state = detector.create();
        const scores = readings.map(([at, value], i) => {
          if (i % every === 0) state = detector.unpack(detector.pack(state));
          return detector.score(state, at, value);
        });
        expect(scores).toEqual(scoresOf(detector, readings));
      }),
      { numRuns: 50 },
    );
  });

  it("[A40] knows nothing of later readings", () => {
    const readings = lively(3000, 401);
    const other = readings.map<Reading>(([at, value], i) => [at, i < 2000 ? value : -3 * value]);
    const scores = scoresOf(detector, readings);
    expect(scoresOf(detector, other).slice(0, 2000)).toEqual(scores.slice(0, 2000));
    expect(scores.some((score) => score >= detector.warning)).toBe(true);
  });

  it("[A40] a packed state is a copy: what happens later does not reach it", () => {
    const state = detector.create();
    for (const [at, value] of lively(500, 97)) detector.score(state, at, value);
    const packed = detector.pack(state);
    const before = packed.slice();
    const restored = detector.unpack(packed);
    detector.score(state, START + 3 * DAY, 99);
    detector.score(restored, START + 3 * DAY, 99);
    expect(packed).toEqual(before);
  });

  it("[A40] a state of another version begins anew", () => {
    const state = detector.create();
    for (const [at, value] of lively(500, 97)) detector.score(state, at, value);
    const fresh = detector.pack(detector.create());
    expect(detector.pack(state)).not.toEqual(fresh);
    const version = detector.pack(state).fill(0xee, 0, 8);
    for (const bytes of [new Uint8Array(), new Uint8Array(7), version, new Uint8Array(5000)]) {
      expect(detector.pack(detector.unpack(bytes))).toEqual(fresh);
    }
  });

  it("[A41] packs into at most 1 KB at any time", () => {
    const state = detector.create();
    const sizes = lively(9 * 288, 97).map(([at, value]) => {
      detector.score(state, at, value);
      return detector.pack(state).length;
    });
    expect(Math.max(detector.pack(detector.create()).length, ...sizes)).toBeLessThanOrEqual(MAX_PACKED_BYTES);
  });

  it("[A42] is silent for its refractory period after an alarm", () => {
    // Spikes more often than the silence, each greater than all before.
    const readings = lively(20 * 288, 23).map<Reading>(([at, value], i) => [at, value * (1 + i / 100)]);
    const scores = scoresOf(detector, readings);
    const alarms = [...readings.keys()].filter((row) => scores[row]! >= detector.warning);
    expect(alarms.length).toBeGreaterThan(2);
    for (const row of alarms) {
      const silentUntil = readings[row]![0] + detector.refractoryMs;
      const silent = [...readings.keys()].filter((next) => next > row && readings[next]![0] < silentUntil);
      for (const next of silent) expect(scores[next]).toBe(0);
    }
  });

  it("[A42] an alarm at an instant far ahead does not silence what follows", () => {
    const usual = lively(6 * 288, 10_000);
    const later = usual.map<Reading>(([at, value]) => [at + 6 * DAY, value]);
    const [lastAt] = usual.at(-1)!;
    const readings: Reading[] = [
      ...usual,
      [lastAt + 400 * 365 * DAY, 5000],
      // Equal instants, and one back.
      ...later.slice(0, 288),
      later[287]!,
      later[200]!,
      ...later.slice(288),
      [lastAt + 7 * DAY, 1e6],
    ];
    const scores = scoresOf(detector, readings);
    expect(scores[usual.length]).toBeGreaterThanOrEqual(detector.warning);
    expect(scores.at(-1)).toBeGreaterThanOrEqual(detector.warning);
  });
});
