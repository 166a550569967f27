import { expect, it } from "vitest";
import { packSummaries, rollupOf } from "./pack-summary.ts";
import {
  mergeZoneHours,
  packZoneMetrics,
  unpackZoneMetrics,
  ZONE_METRICS_MAX,
  ZoneHoursBuilder,
} from "./zone-hour.ts";

const HOUR_MS = 3_600_000;

/** The packed rollup of a device whose metrics each have one reading. */
const rollup = (metrics: string[], { zone = "z", hourMs = 0 } = {}) => ({
  zone,
  summaries: packSummaries(
    rollupOf({
      startMs: hourMs,
      endMs: hourMs + HOUR_MS,
      columns: metrics.map((metric, i) => ({ metric, at: [hourMs + i], value: [i / 3] })),
    }),
  ),
});
const builderOf = (...hours: number[]) =>
  new ZoneHoursBuilder(hours.map((hour) => ({ zone: "z", hourMs: hour * HOUR_MS })));

it("[S11] an hour packs and unpacks to itself", () => {
  const builder = builderOf(0);
  builder.add([rollup(["a", "b c", 'd"e'])]);
  builder.add([rollup(["a"])]);
  const hour = builder.finish()[0]!.hour!;
  expect(hour).toMatchObject({ devices: 2, readings: 4 });
  expect(unpackZoneMetrics(packZoneMetrics(hour))).toEqual({ metrics: hour.metrics, leftOut: 0 });
});

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const hourOf = (devices: string[][]) => {
  const builder = builderOf(0);
  for (const metrics of devices) builder.add([rollup(metrics)]);
  return builder.finish()[0]!.hour!;
};

it("[S11] [S12] of too many metrics those of the most devices are kept, and all readings counted", () => {
  const ofDevice = (device: number) => [...range(ZONE_METRICS_MAX).map((i) => `m${device}-${i}`), "common"];
  const zones = [hourOf([1, 2].map(ofDevice)), hourOf([ofDevice(3)])];
  const fleet = mergeZoneHours(zones)!;
  for (const [hour, devices, leftOut] of [
    [zones[0]!, 2, ZONE_METRICS_MAX + 1],
    [zones[1]!, 1, 1],
    [fleet, 3, 2 * ZONE_METRICS_MAX + 1],
  ] as const) {
    expect(hour.metrics.size).toBe(ZONE_METRICS_MAX);
    if (devices > 1) expect(hour.metrics.get("common")).toMatchObject({ devices });
    expect(hour).toMatchObject({ devices, leftOut, readings: devices * (ZONE_METRICS_MAX + 1) });
  }
});

it.each([
  ["one", 1],
  ["thirty", 30],
] as const)(
  "[W11] %s devices of 1,000 metrics named to sort first take nothing from a device of three",
  (_, count) => {
    const flood = (shared: boolean) =>
      range(count).map((device) => range(1_000).map((i) => `!${shared ? "" : device}-${i}`));
    const honest = ["temperature", "pressure", "rpm"];
    for (const shared of [true, false]) {
      for (const devices of [
        [...flood(shared), honest],
        [honest, ...flood(shared)],
      ]) {
        const zone = hourOf(devices);
        const fleet = mergeZoneHours([zone, hourOf(flood(shared)), hourOf([honest])])!;
        for (const metric of honest) {
          expect(zone.metrics.get(metric)).toMatchObject({ devices: 1, votes: 333_333 });
          expect(fleet.metrics.get(metric)).toMatchObject({ devices: 2, summary: { count: 2 } });
        }
        expect(zone.leftOut).toBeGreaterThan(0);
        expect(fleet.metrics.size).toBe(ZONE_METRICS_MAX);
        expect(unpackZoneMetrics(packZoneMetrics(fleet))).toEqual({
          metrics: fleet.metrics,
          leftOut: fleet.leftOut,
        });
      }
    }
  },
);

it("[W11] a row that was written without votes counts as if each of its devices had all its metrics", () => {
  const { devices, summaries } = JSON.parse(packZoneMetrics(hourOf([["a", "b"], ["a"]])));
  const { metrics, leftOut } = unpackZoneMetrics(JSON.stringify({ devices, summaries }));
  expect([leftOut, metrics.get("a")!.votes, metrics.get("b")!.votes]).toEqual([0, 1_000_000, 500_000]);
});

it("[W12] an hour fits into its row, however long and odd its names are and however wide its readings spread", () => {
  const wide = (device: number): Parameters<ZoneHoursBuilder["add"]>[0] => [
    {
      zone: "z",
      summaries: packSummaries(
        rollupOf({
          startMs: 0,
          endMs: HOUR_MS,
          columns: range(1_000).map((m) => {
            const at = range(130).map((i) => i * 1_000 + device);
            const value = at.map((_, i) => (i % 2 ? -1 : 1) * 1.000123456789 * 1.37 ** (m + i * 5 - 600));
            return { metric: `${String(m).padStart(4, "0")}${'"'.repeat(124)}`, at, value };
          }),
        }),
      ),
    },
  ];
  const builder = builderOf(0);
  builder.add(wide(1));
  builder.add([rollup(["temperature"])]);
  const hour = builder.finish()[0]!.hour!;
  const text = packZoneMetrics(hour);
  expect(new TextEncoder().encode(JSON.stringify([["z", 0, 1, 1, text]])).length).toBeLessThan(2_000_000);
  const { metrics, leftOut } = unpackZoneMetrics(text);
  expect(metrics.get("temperature")).toMatchObject({ devices: 1 });
  expect(leftOut).toBe(1_001 - metrics.size);
  expect(leftOut).toBeGreaterThan(1);
});

it("[S24] hours gathered together are those gathered one by one, of each zone its own, and what is not asked for is left out", () => {
  const rollups = [0, 1, 2].flatMap((hour) => [
    rollup(["a", "b"], { hourMs: hour * HOUR_MS }),
    rollup(["a"], { zone: "other", hourMs: hour * HOUR_MS }),
  ]);
  const gather = (...hours: number[]) => {
    const builder = builderOf(...hours);
    for (let device = 0; device < 2; device++) builder.add(rollups);
    return builder.finish();
  };
  expect(gather(0, 1, 2)).toEqual([0, 1, 2].flatMap((hour) => gather(hour)));
  expect(gather(1)).toMatchObject([{ zone: "z", hourMs: HOUR_MS, hour: { devices: 2, readings: 4 } }]);
  expect(gather(7)).toEqual([{ zone: "z", hourMs: 7 * HOUR_MS, hour: undefined }]);
});

it("[S24] what is too much is given up, the later hours first, until one is left", () => {
  const builder = builderOf(2, 0, 1);
  builder.add([0, 1, 2].map((hour) => rollup(["a", "b"], { hourMs: hour * HOUR_MS })));
  expect([builder.hourCount, builder.summaries]).toEqual([3, 6]);
  builder.halve();
  expect([builder.hourCount, builder.summaries]).toEqual([2, 4]);
  builder.halve();
  builder.halve();
  expect(builder.finish()).toMatchObject([{ hourMs: 0, hour: { devices: 1, readings: 2 } }]);
});
