import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HOUR_MS } from "../time.ts";
import { BUCKET_MS_MAX, evenly } from "../window/align.ts";
import { summarise } from "../window/summary.ts";
import { FleetMerger, sealedToMs } from "./fleet-merger.ts";
import { fleetPointOf } from "./point.ts";

const DAY_MS = 24 * HOUR_MS;

/** What each device reported in each hour of two days. */
const fleet = fc.array(
  fc.array(fc.array(fc.integer({ min: -99, max: 99 }), { maxLength: 4 }), { minLength: 48, maxLength: 48 }),
  {
    minLength: 1,
    maxLength: 5,
  },
);
const hourOf = (hour: number, values: number[]) => ({
  startMs: hour * HOUR_MS,
  devices: 1,
  summary: summarise(
    values.map((_, i) => hour * HOUR_MS + i),
    values,
  ),
});

describe("windows of a fleet", () => {
  it.each([HOUR_MS, DAY_MS])(
    "[Q14] [Q15] [S12] of %d ms are those of all readings, in any order and grouping",
    (windowMs) => {
      fc.assert(
        fc.property(fleet, fc.integer({ min: 1, max: 3 }), (devices, groups) => {
          const parts = devices.flatMap((hours, device) =>
            hours.flatMap((values, hour) =>
              values.length === 0 ? [] : [{ device, part: hourOf(hour, values) }],
            ),
          );
          const merger = new FleetMerger();
          for (let group = 0; group < groups; group++) {
            merger.add(
              parts
                .filter(({ device }) => device % groups === group)
                .map(({ part }) => part)
                .reverse(),
            );
          }
          const hoursPerWindow = windowMs / HOUR_MS;
          const expected = [];
          for (let start = 0; start < 48; start += hoursPerWindow) {
            const hours = devices.map((all) => all.slice(start, start + hoursPerWindow));
            const values = hours.flat(2);
            if (values.length === 0) continue;
            const counts = Array.from(
              { length: hoursPerWindow },
              (_, h) => hours.filter((all) => all[h]!.length > 0).length,
            );
            const window = { startMs: start * HOUR_MS, endMs: start * HOUR_MS + windowMs };
            const summary = summarise(values, values);
            expected.push(fleetPointOf({ ...window, summary }, Math.max(...counts)));
          }
          expect(merger.points(evenly(windowMs))).toEqual(expected);
        }),
      );
    },
  );
});

it("[Q14] hours are settled when the blocks of the longest bucket that may hold them have been sealed", () => {
  const startMs = 1_000 * BUCKET_MS_MAX;
  const sealedMs = startMs + BUCKET_MS_MAX + 3 * HOUR_MS;
  expect(sealedToMs(sealedMs - 1)).toBe(startMs);
  expect(sealedToMs(sealedMs)).toBe(startMs + BUCKET_MS_MAX);
});
