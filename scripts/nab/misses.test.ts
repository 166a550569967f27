import { describe, expect, it } from "vitest";
import { seasonal } from "../../core/alert/anomaly/seasonal.ts";
import { missesOf } from "./misses.ts";
import type { LabelledSeries } from "./read-corpus.ts";

const STEP = 300_000;
const A_DAY = 288;
const START = Date.parse("2026-03-02T00:00:00Z");
const wave = (row: number) => Math.sin(row * 12.9898) + Math.sin(row * 78.233);

/** Twenty days with these heights at these rows, and an incident around each of them that is `labelled`. */
function withSpikes(spikes: Record<number, number>, ...labelled: number[]): LabelledSeries {
  const rows = Array.from({ length: 20 * A_DAY }, (_, row) => row);
  return {
    name: "kind/one.csv",
    at: rows.map((row) => START + row * STEP),
    values: rows.map((row) => wave(row) + (spikes[row] ?? 0)),
    windows: labelled.map((row) => ({ firstRow: row - 5, lastRow: row + 5 })),
  };
}
const reasons = (series: LabelledSeries) =>
  missesOf(seasonal, series).map(({ place, reason }) => [place, reason]);

describe("what hid an incident", () => {
  it("[A68] is nothing where each is found", () => {
    expect(reasons(withSpikes({ 3000: 60, 5000: 60 }, 3000, 5000))).toEqual([]);
  });

  it("[A68] is the silence, soon after an alarm", () => {
    expect(reasons(withSpikes({ 3000: 60, 3100: 60 }, 3000, 3100))).toEqual([[1, "silence"]]);
  });

  it("[A68] is quietness, where there is nothing to hear", () => {
    expect(reasons(withSpikes({}, 3000))).toEqual([[0, "quiet"]]);
  });

  it("[A68] is fatigue after many alarms, or what they made of the scales", () => {
    // Each at another hour and louder than before; the last as loud as a first one would have to be.
    const earlier = Object.fromEntries(
      Array.from({ length: 9 }, (_, i) => [1200 + i * (A_DAY + 40), 30 * 1.3 ** i]),
    );
    const alone = withSpikes({ 5500: 40 }, 5500);
    expect(reasons(alone)).toEqual([]);
    const hidden = reasons(withSpikes({ ...earlier, 5500: 40 }, 5500));
    expect(hidden).toHaveLength(1);
    expect(["fatigue", "scale", "together"]).toContain(hidden[0]![1]);
  });
});
