import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RESOLUTION_MS, type Resolution, type Tier } from "../../schemas/query.ts";
import {
  extend,
  HOT_SLACK_MS,
  planHistory,
  resolve,
  type Segment,
  type TierBounds,
  windowCount,
} from "./plan.ts";
import { windowsOf } from "./windows.ts";

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
  timeZone?: string,
) => {
  const windows = windowsOf(resolve(resolution, fromMs, toMs), timeZone, { fromMs, toMs });
  const planned = planHistory(
    { fromMs, toMs, windows, pinned },
    { hotFromMs: 0, unsettledFromMs: NEVER, warmFromMs: 0, ...bounds },
  );
  return {
    resolution: windows.resolution,
    segments: planned.segments.map(({ source, startMs, endMs }) => ({ source, startMs, endMs })),
    inHours: planned.segments.filter(({ inHours }) => inHours).map(({ source }) => source),
  };
};
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

  it("[Q1] the boundary is where the oldest block that is not stored begins, within a day or an hour", () => {
    const bounds = { unsettledFromMs: T0 + 5.25 * HOUR_MS };
    for (const resolution of ["1h", "1d"] as const) {
      expect(plan(resolution, T0 + 1, T0 + DAY_MS, bounds).segments).toEqual([
        segment("warm", T0, T0 + 5.25 * HOUR_MS),
        segment("hot", T0 + 5.25 * HOUR_MS, T0 + DAY_MS),
      ]);
    }
  });

  it("[Q13] come from the archive's hourly files where D1 no longer has them", () => {
    const bounds = { warmFromMs: T0 + 2 * HOUR_MS, unsettledFromMs: T0 + 5 * HOUR_MS };
    expect(plan("1d", T0, T0 + DAY_MS, bounds).segments).toEqual([
      segment("cold", T0, T0 + 2 * HOUR_MS),
      segment("warm", T0 + 2 * HOUR_MS, T0 + 5 * HOUR_MS),
      segment("hot", T0 + 5 * HOUR_MS, T0 + DAY_MS),
    ]);
  });

  it("[Q13] what is not stored yet is asked of the device, also where D1 keeps nothing any more", () => {
    const bounds = { warmFromMs: T0 + 3 * HOUR_MS, unsettledFromMs: T0 + HOUR_MS };
    expect(plan("1h", T0, T0 + 5 * HOUR_MS, bounds).segments).toEqual([
      segment("cold", T0, T0 + HOUR_MS),
      segment("hot", T0 + HOUR_MS, T0 + 5 * HOUR_MS),
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

describe("windows of a time zone", () => {
  const bounds = { hotFromMs: T0 + 3 * DAY_MS, unsettledFromMs: T0 + 4 * DAY_MS, warmFromMs: T0 + DAY_MS };
  const [fromMs, toMs] = [T0 + HOUR_MS, T0 + 5 * DAY_MS - 1];

  it("[Q28] whole hours from UTC are planned as UTC's, from midnight to midnight there", () => {
    const { segments, inHours } = plan("1d", fromMs, toMs, bounds, undefined, "America/New_York");
    expect(segments).toEqual([
      segment("cold", T0 - 19 * HOUR_MS, T0 + DAY_MS),
      segment("warm", T0 + DAY_MS, T0 + 4 * DAY_MS),
      segment("hot", T0 + 4 * DAY_MS, T0 + 5 * DAY_MS + 5 * HOUR_MS),
    ]);
    expect(inHours).toEqual(["cold", "warm"]);
  });

  it("[Q28] others are made of readings, as short windows are", () => {
    const { segments, inHours } = plan("1d", fromMs, toMs, bounds, undefined, "Asia/Kolkata");
    expect(segments).toEqual([
      segment("cold", T0 - 5.5 * HOUR_MS, T0 + 3 * DAY_MS + HOT_SLACK_MS),
      segment("hot", T0 + 3 * DAY_MS + HOT_SLACK_MS, T0 + 5 * DAY_MS + 18.5 * HOUR_MS),
    ]);
    expect(inHours).toEqual([]);
  });

  it("[Q28] a range since 1970 in a zone that was changed to whole hours is made of hours from then on", () => {
    const { segments, inHours } = plan("1d", 0, toMs, bounds, undefined, "Asia/Singapore");
    const changed = Date.UTC(1981, 11, 31, 16);
    expect(segments.slice(0, 3)).toEqual([
      segment("cold", -7.5 * HOUR_MS, changed),
      segment("cold", changed, T0 + DAY_MS),
      segment("warm", T0 + DAY_MS, T0 + 4 * DAY_MS),
    ]);
    expect(inHours).toEqual(["cold", "warm"]);
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

describe("what a device is about to give up", () => {
  it("[Q2] is asked of the archive, which has all that is settled", () => {
    const [hotFromMs, toMs] = [T0 + HOUR_MS + 123, T0 + 3 * HOUR_MS];
    expect(plan("raw", T0, toMs, { hotFromMs, unsettledFromMs: T0 + 2 * HOUR_MS }).segments).toEqual([
      segment("cold", T0, hotFromMs + HOT_SLACK_MS),
      segment("hot", hotFromMs + HOT_SLACK_MS, toMs),
    ]);
    expect(plan("raw", T0, toMs, { hotFromMs, unsettledFromMs: hotFromMs + 1 }).segments).toEqual([
      segment("cold", T0, hotFromMs + 1),
      segment("hot", hotFromMs + 1, toMs),
    ]);
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
  });

  const instant = fc.integer({ min: 0, max: 1_000 * DAY_MS }).map((ms) => T0 + ms);

  it("[Q10] auto keeps to maxPoints windows if any resolution does, and the next finer one would not", () => {
    const points = fc.integer({ min: 1, max: 50_000 });
    fc.assert(
      fc.property(
        instant,
        fc.integer({ min: 1, max: 3_000 * DAY_MS }),
        points,
        (fromMs, spanMs, maxPoints) => {
          const toMs = fromMs + spanMs;
          const count = (one: keyof typeof RESOLUTION_MS) => windowCount(fromMs, toMs, RESOLUTION_MS[one]);
          const chosen = resolve("auto", fromMs, toMs, maxPoints);
          if (chosen === "raw") {
            expect(spanMs).toBeLessThanOrEqual(maxPoints * 14_400);
            return;
          }
          expect(spanMs).toBeGreaterThan(maxPoints * 14_400);
          if (chosen !== "1d") expect(count(chosen)).toBeLessThanOrEqual(maxPoints);
          const finer = ({ "1m": undefined, "5m": "1m", "1h": "5m", "1d": "1h" } as const)[chosen];
          if (finer !== undefined) expect(count(finer)).toBeGreaterThan(maxPoints);
        },
      ),
    );
  });

  it("[Q10] a window count is that of the windows the answer has", () => {
    fc.assert(
      fc.property(instant, fc.integer({ min: 1, max: DAY_MS }), (fromMs, spanMs) => {
        const { segments } = plan("1h", fromMs, fromMs + spanMs);
        const [startMs, endMs] = [segments[0]!.startMs, segments.at(-1)!.endMs];
        expect(windowCount(fromMs, fromMs + spanMs, HOUR_MS)).toBe((endMs - startMs) / HOUR_MS);
      }),
    );
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
    warmFromMs: fc.oneof(instant, fc.constantFrom(0)),
    pinned: fc.constantFrom<Tier | undefined>(undefined, "hot", "warm", "cold"),
  });

  it("[Q1] [Q2] [Q13] cover the range, widened to whole windows, without gap or overlap", () => {
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
        const isHourly = resolution === "1h" || resolution === "1d";
        const order: Tier[] = isHourly ? ["cold", "warm", "hot"] : ["cold", "hot"];
        const places = segments.map(({ source }) => order.indexOf(source));
        expect(places).toEqual(places.toSorted((a, b) => a - b));
        expect(places).not.toContain(-1);
        for (const { source, startMs, endMs } of segments) {
          if (source === "hot") expect(startMs).toBeGreaterThanOrEqual(rest.hotFromMs);
          if (source === "warm") expect(startMs).toBeGreaterThanOrEqual(rest.warmFromMs);
          if (source !== "hot")
            expect(endMs).toBeLessThanOrEqual(Math.max(rest.unsettledFromMs, rest.hotFromMs));
        }
      }),
    );
  });

  it("[Q3] are noted as they are read: neighbours of a tier are one, and what is read again replaces what was", () => {
    const read = (...segments: Segment[]) => segments.reduce(extend, [] as Segment[]);
    expect(read(segment("cold", 0, 5), segment("cold", 5, 9), segment("hot", 9, 20))).toEqual([
      segment("cold", 0, 9),
      segment("hot", 9, 20),
    ]);
    expect(read(segment("warm", 0, 5), segment("hot", 5, 9), segment("warm", 3, 7))).toEqual([
      segment("warm", 0, 7),
    ]);
    expect(read(segment("hot", 0, 5), segment("cold", 0, 3))).toEqual([segment("cold", 0, 3)]);
  });
});
