import { expect, it } from "vitest";
import { packSummaries, rollupOf } from "./pack-summary.ts";
import {
  mergeZoneHours,
  packZoneMetrics,
  unpackZoneMetrics,
  ZONE_METRICS_MAX,
  ZoneHourBuilder,
} from "./zone-hour.ts";

/** The packed rollup of a device whose metrics each have one reading. */
const rollup = (metrics: string[]) =>
  packSummaries(
    rollupOf({
      startMs: 0,
      endMs: 3_600_000,
      columns: metrics.map((metric, i) => ({ metric, at: [i], value: [i / 3] })),
    }),
  );

it("[S11] an hour packs and unpacks to itself", () => {
  const builder = new ZoneHourBuilder(0);
  builder.add([rollup(["a", "b c", 'd"e'])]);
  builder.add([rollup(["a"])]);
  const hour = builder.finish()!;
  expect(hour).toMatchObject({ devices: 2, readings: 4 });
  expect(unpackZoneMetrics(packZoneMetrics(hour.metrics))).toEqual(hour.metrics);
});

it("[S11] [S12] of too many metrics those of the most devices are kept, and all readings counted", () => {
  const names = (device: number) => Array.from({ length: ZONE_METRICS_MAX }, (_, i) => `m${device}-${i}`);
  const hourOf = (devices: number[]) => {
    const builder = new ZoneHourBuilder(0);
    for (const device of devices) builder.add([rollup([...names(device), "common"])]);
    return builder.finish()!;
  };
  const zones = [hourOf([1, 2]), hourOf([3])];
  const fleet = mergeZoneHours(zones)!;
  for (const [hour, devices] of [
    [zones[0]!, 2],
    [fleet, 3],
  ] as const) {
    expect(hour.metrics.size).toBe(ZONE_METRICS_MAX);
    expect(hour.metrics.get("common")).toMatchObject({ devices });
    expect(hour).toMatchObject({ devices, readings: devices * (ZONE_METRICS_MAX + 1) });
  }
});
