import fc from "fast-check";
import { expect, it } from "vitest";
import { type WindowSummary, windowsOfReadings } from "../window/aggregate.ts";
import { evenly } from "../window/align.ts";
import { windowPointOf } from "./point.ts";
import { WindowMerger } from "./window-merger.ts";

const HOUR_MS = 3_600_000;
const END_MS = 10 * HOUR_MS;

it("[Q1] [Q11] [W3] windows read in any slices equal those of all readings at once, each once and in order", () => {
  const readings = fc
    .uniqueArray(
      fc.tuple(
        fc.nat(END_MS - 1),
        fc.integer({ min: -1_000, max: 1_000 }).map((n) => n / 8),
      ),
      {
        selector: ([at]) => at,
      },
    )
    .map((pairs) => pairs.sort(([a], [b]) => a - b));
  fc.assert(
    fc.property(readings, fc.array(fc.nat(END_MS)), (pairs, cuts) => {
      const columns = (from: number, to: number) => {
        const within = pairs.filter(([at]) => at >= from && at < to);
        return [within.map(([at]) => at), within.map(([, value]) => value)] as const;
      };
      const merger = new WindowMerger(evenly(HOUR_MS));
      const merged: WindowSummary[] = [];
      let from = 0;
      for (const to of [...cuts.sort((a, b) => a - b), END_MS]) {
        const windows = merger.add(windowsOfReadings(...columns(from, to), HOUR_MS), to);
        for (const { endMs } of windows) expect(endMs).toBeLessThanOrEqual(to);
        merged.push(...windows);
        from = to;
      }
      const whole = windowsOfReadings(...columns(0, END_MS), HOUR_MS);
      expect(merged.map(windowPointOf)).toEqual(whole.map(windowPointOf));
    }),
  );
});
