import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RESOLUTION_MS, type Resolution, type Tier } from "../../schemas/query.ts";
import { planHistory, resolve, type TierBounds } from "./plan.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const T0 = Date.UTC(2026, 0, 5);
const NEVER = Number.MAX_SAFE_INTEGER;

const plan = (
  resolution: Resolution,
  fromMs: number,
  toMs: number,
  bounds: Partial<TierBounds> = {},
  pinned?: Tier,
) => planHistory({ fromMs, toMs, resolution, pinned }, { hotFromMs: 0, unsettledFromMs: NEVER, ...bounds });
const segment = (source: Tier, startMs: number, endMs: number) => ({ source, startMs, endMs });

describe("hourly and daily windows", () => {
  it("[Q1] come from D1 as far as it is settled and from the device after that", () => {
    const bounds = { unsettledFromMs: T0 + 5 * HOUR_MS };
    expect(plan("1h", T0, T0 + 8 * HOUR_MS, bounds).segments).toEqual([
      segment("warm", T0, T0 + 5 * HOUR_MS),
      segment("hot", T0 + 5 * HOUR_MS, T0 + 8 * HOUR_MS),
    ]);
  });

  it("[Q1] all from D1 when all is settled, all from the device when nothing is", () => {
    expect(plan("1h", T0, T0 + HOUR_MS).segments).toEqual([segment("warm", T0, T0 + HOUR_MS)]);
    const unsettled = plan("1h", T0, T0 + HOUR_MS, { unsettledFromMs: T0 - DAY_MS });
    expect(unsettled.segments).toEqual([segment("hot", T0, T0 + HOUR_MS)]);
  });

  it("[Q1] the boundary is the start of the unsettled hour, and may lie within a day", () => {
    const bounds = { unsettledFromMs: T0 + 5 * HOUR_MS + 1_234 };
    expect(plan("1d", T0 + 1, T0 + DAY_MS, bounds).segments).toEqual([
      segment("warm", T0, T0 + 5 * HOUR_MS),
      segment("hot", T0 + 5 * HOUR_MS, T0 + DAY_MS),
    ]);
  });

  it("[Q1] the device is not asked for what it gave up", () => {
    const bounds = { hotFromMs: T0 + 2 * HOUR_MS, unsettledFromMs: T0 };
    expect(plan("1h", T0, T0 + 3 * HOUR_MS, bounds).segments).toEqual([
      segment("warm", T0, T0 + 2 * HOUR_MS),
      segment("hot", T0 + 2 * HOUR_MS, T0 + 3 * HOUR_MS),
    ]);
  });
});

describe("raw readings and shorter windows", () => {
  it.each(["raw", "1m", "5m"] as const)(
    "[Q2] %s: from the archive, then from the device as far back as it holds them",
    (resolution) => {
      const bounds = { hotFromMs: T0 + 2 * HOUR_MS, unsettledFromMs: T0 + HOUR_MS };
      expect(plan(resolution, T0, T0 + 3 * HOUR_MS, bounds).segments).toEqual([
        segment("cold", T0, T0 + 2 * HOUR_MS),
        segment("hot", T0 + 2 * HOUR_MS, T0 + 3 * HOUR_MS),
      ]);
      expect(plan(resolution, T0, T0 + HOUR_MS).segments).toEqual([segment("hot", T0, T0 + HOUR_MS)]);
    },
  );

  it("[Q2] all from the archive when there is no device object", () => {
    const bounds = { hotFromMs: NEVER, unsettledFromMs: NEVER };
    expect(plan("raw", T0, T0 + 1, bounds).segments).toEqual([segment("cold", T0, T0 + 1)]);
  });
});

describe("the resolution", () => {
  it.each([
    [1, "raw"],
    [6 * HOUR_MS, "raw"],
    [6 * HOUR_MS + 1, "1m"],
    [25 * HOUR_MS, "1m"],
    [25 * HOUR_MS + 1, "5m"],
    [125 * HOUR_MS, "5m"],
    [125 * HOUR_MS + 1, "1h"],
    [1_500 * HOUR_MS, "1h"],
    [1_500 * HOUR_MS + 1, "1d"],
    [10_000 * DAY_MS, "1d"],
  ])("[Q4] auto for %d ms is %s", (spanMs, expected) => {
    expect(resolve("auto", T0, T0 + spanMs)).toBe(expected);
    expect(plan("auto", T0, T0 + spanMs).resolution).toBe(expected);
  });

  it("[Q3] one that is named is used, and the answer's", () => {
    for (const named of ["raw", "1m", "5m", "1h", "1d"] as const) {
      expect(plan(named, T0, T0 + 1_000 * DAY_MS).resolution).toBe(named);
    }
  });
});

describe("segments", () => {
  const instant = fc.integer({ min: 0, max: 100 * DAY_MS }).map((ms) => T0 + ms);
  const asked = fc.record({
    fromMs: instant,
    spanMs: fc.integer({ min: 1, max: 100 * DAY_MS }),
    resolution: fc.constantFrom<Resolution>("auto", "raw", "1m", "5m", "1h", "1d"),
    hotFromMs: fc.oneof(instant, fc.constantFrom(0, NEVER)),
    unsettledFromMs: fc.oneof(instant, fc.constantFrom(0, NEVER)),
    pinned: fc.constantFrom<Tier | undefined>(undefined, "hot", "warm", "cold"),
  });

  it("[Q1] [Q2] cover the range, widened to whole windows, without gap or overlap", () => {
    fc.assert(
      fc.property(asked, ({ fromMs, spanMs, pinned, ...rest }) => {
        const toMs = fromMs + spanMs;
        const { resolution, segments } = plan(rest.resolution, fromMs, toMs, rest, pinned);
        const windowMs = resolution === "raw" ? 1 : RESOLUTION_MS[resolution];
        const [startMs, endMs] = [segments[0]!.startMs, segments.at(-1)!.endMs];
        expect([startMs % windowMs, endMs % windowMs]).toEqual([0, 0]);
        expect(startMs <= fromMs && fromMs < startMs + windowMs).toBe(true);
        expect(endMs - windowMs < toMs && toMs <= endMs).toBe(true);
        for (const [i, one] of segments.entries()) {
          expect(one.startMs).toBeLessThan(one.endMs);
          if (i > 0) expect(one.startMs).toBe(segments[i - 1]!.endMs);
        }
        expect(new Set(segments.map(({ source }) => source)).size).toBe(segments.length);
      }),
      { numRuns: 1_000 },
    );
  });

  it("[Q3] a pinned tier answers all of it; unpinned each part names its tier", () => {
    fc.assert(
      fc.property(asked, ({ fromMs, spanMs, pinned, ...rest }) => {
        const { resolution, segments } = plan(rest.resolution, fromMs, fromMs + spanMs, rest, pinned);
        if (pinned !== undefined) {
          expect(segments.map(({ source }) => source)).toEqual([pinned]);
          return;
        }
        const before = resolution === "1h" || resolution === "1d" ? "warm" : "cold";
        for (const { source, startMs } of segments) {
          expect(source).toBe(source === "hot" ? "hot" : before);
          if (source === "hot") expect(startMs).toBeGreaterThanOrEqual(Math.min(rest.hotFromMs, NEVER));
        }
      }),
    );
  });
});
