import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  add,
  isLow,
  learn,
  lease,
  newPot,
  newShare,
  REST_SECONDS,
  SHARE_SECONDS,
  spend,
  wantedOf,
} from "./readings-quota.ts";

const NOW = Date.UTC(2026, 0, 5);

/** Plays isolates that send requests of `size` readings as fast as they may, every 10 ms each. */
function play(perSecond: number, isolates: number, size: number, seconds: number) {
  const pot = newPot(perSecond, NOW);
  pot.readings = 0; // no rest before
  const shares = Array.from({ length: isolates }, () => {
    const share = newShare();
    learn(share, perSecond);
    return share;
  });
  let taken = 0;
  let calls = 0;
  for (let now = NOW; now < NOW + seconds * 1000; now += 10) {
    for (const share of shares) {
      if (isLow(share, now)) {
        calls += 1;
        add(share, lease(pot, perSecond, wantedOf(share), now), now);
      }
      if (spend(share, size)) taken += size;
    }
  }
  return { taken, calls };
}

describe("a tenant's readings a second", () => {
  it.each([
    [1_000, 1, 10],
    [1_000, 8, 10],
    [1_000, 8, 2_000],
    [100_000, 8, 1_000],
    [50, 8, 1],
  ])(
    "[F8] %i a second over %i isolates with requests of %i: as much as it may, and hardly more",
    (perSecond, isolates, size) => {
      const seconds = 60;
      const { taken, calls } = play(perSecond, isolates, size, seconds);
      expect(taken).toBeLessThanOrEqual(perSecond * seconds + isolates * (perSecond * SHARE_SECONDS + size));
      expect(taken).toBeGreaterThanOrEqual(
        0.95 * perSecond * seconds - isolates * (perSecond * SHARE_SECONDS + size),
      );
      // Each call brings a share, or says when there is one.
      expect(calls / seconds / isolates).toBeLessThanOrEqual(101);
    },
  );

  it("[F8] after a rest ten seconds of it may come at once, and no more", () => {
    const pot = newPot(100, NOW);
    expect(lease(pot, 100, 5_000, NOW).readings).toBe(100 * REST_SECONDS);
    expect(lease(pot, 100, 5_000, NOW)).toEqual({ readings: 0, retryAfterMs: 10 });
    expect(lease(pot, 100, 5_000, NOW + 3_600_000).readings).toBe(100 * REST_SECONDS);
  });

  it("[F8] a share is never more than the pot has, whoever asks and in whatever order", () => {
    const asked = fc.record({
      wanted: fc.integer({ min: 1, max: 5_000 }),
      afterMs: fc.integer({ min: -1_000, max: 2_000 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), fc.array(asked), (perSecond, all) => {
        const pot = newPot(perSecond, NOW);
        let now = NOW;
        let latest = NOW;
        let given = 0;
        for (const { wanted, afterMs } of all) {
          now += afterMs;
          latest = Math.max(latest, now);
          const { readings, retryAfterMs } = lease(pot, perSecond, wanted, now);
          given += readings;
          expect(readings === 0).toBe(retryAfterMs > 0);
          expect(given).toBeLessThanOrEqual(
            (perSecond * (latest - NOW)) / 1000 + perSecond * REST_SECONDS + 1e-3,
          );
        }
      }),
    );
  });

  it("[F8] without a limit nothing is counted and nobody asks; a limit that is taken away holds no more", () => {
    const share = newShare();
    expect([spend(share, 1e9), isLow(share, NOW)]).toEqual([true, false]);
    learn(share, 10);
    expect([spend(share, 1), isLow(share, NOW)]).toEqual([false, true]);
    learn(share, null);
    expect([spend(share, 1e9), isLow(share, NOW)]).toEqual([true, false]);
  });
});
