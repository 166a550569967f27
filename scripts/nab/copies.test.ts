import { describe, expect, it } from "vitest";
import { COPIES, enteredAt, noisy, reversed } from "./copies.ts";
import type { LabelledSeries } from "./read-corpus.ts";
import { probationRows } from "./score-nab.ts";

const HOUR = 3_600_000;
const ROWS = 1000;
const START = Date.parse("2026-01-05T00:00:00Z");
const series: LabelledSeries = {
  name: "kind/one.csv",
  at: Array.from({ length: ROWS }, (_, row) => START + row * HOUR),
  values: Array.from({ length: ROWS }, (_, row) => row),
  windows: [
    { firstRow: 240, lastRow: 260 },
    { firstRow: 700, lastRow: 720 },
  ],
};
/** Values are their own rows, so a window is known by what it holds. */
const held = ({ values, windows }: LabelledSeries) =>
  windows.map(({ firstRow, lastRow }) => [values[firstRow], values[lastRow]]);
const hourOfWeek = (ms: number) => Math.floor(ms / HOUR) % 168;

describe("copies of a labelled series", () => {
  it("[A68] entered later goes on with what was before, at the same hours of the week", () => {
    const copy = enteredAt(series, 1 / 2);
    expect(copy.values[0]).toBe(500);
    expect(copy.values.toSorted((a, b) => a - b)).toEqual(series.values);
    expect(copy.at).toEqual(copy.at.toSorted((a, b) => a - b));
    expect(copy.values.map((value) => hourOfWeek(series.at[value]!))).toEqual(copy.at.map(hourOfWeek));
    expect(held(copy)).toEqual([
      [700, 720],
      [240, 260],
    ]);
  });

  it("[A68] is not entered within an incident, nor so that one begins in probation", () => {
    const copy = enteredAt(series, 1 / 4);
    expect(copy.values[0]).toBe(261);
    expect(held(copy)).toEqual([
      [700, 720],
      [240, 260],
    ]);
    expect(enteredAt(series, 0.6).windows[0]!.firstRow).toBeGreaterThanOrEqual(probationRows(ROWS));
  });

  it("[A68] reversed runs backwards in the same time, with its incidents", () => {
    const copy = reversed(series);
    expect(copy.values.slice(0, 2)).toEqual([999, 998]);
    expect(copy.at).toEqual(series.at);
    expect(held(copy)).toEqual([
      [720, 700],
      [260, 240],
    ]);
    expect(reversed(copy)).toEqual(series);
  });

  it("[A68] noisy is as noisy each time, and by less than a usual step", () => {
    const copy = noisy(series);
    expect(copy).toEqual(noisy(series));
    const off = copy.values.map((value, row) => value - row);
    const deviation = Math.sqrt(off.reduce((sum, one) => sum + one ** 2, 0) / ROWS);
    expect(deviation).toBeGreaterThan(0.45);
    expect(deviation).toBeLessThan(0.55);
  });

  it("[A68] an incident that mostly lies in probation is left out, for nothing there counts", () => {
    const late = { ...series, windows: [{ firstRow: 900, lastRow: 950 }] };
    expect(reversed(late).windows).toEqual([]);
    expect(Object.keys(COPIES)[0]).toBe("plain");
    expect(COPIES.plain!(late)).toBe(late);
  });
});
