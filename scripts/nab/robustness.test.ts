import { describe, expect, it } from "vitest";
import { SETTINGS, seasonal } from "../../core/alert/anomaly/seasonal.ts";
import type { LabelledSeries } from "./read-corpus.ts";
import { robustnessOf, settingsAround } from "./robustness.ts";
import { STANDARD_PROFILES, scoreAt } from "./score-nab.ts";

const START = Date.parse("2026-03-02T00:00:00Z");
const series = (name: string, spike: number): LabelledSeries => {
  const rows = Array.from({ length: 8 * 288 }, (_, row) => row);
  return {
    name,
    at: rows.map((row) => START + row * 300_000),
    values: rows.map((row) => Math.sin(row * 12.9898) + Math.sin(row * 78.233) + (row === 1500 ? spike : 0)),
    windows: [{ firstRow: 1490, lastRow: 1520 }],
  };
};

describe("how robust a score is", () => {
  it("[A68] settings are drawn around the shipped one, which is the first, the same each time", () => {
    const drawn = settingsAround(SETTINGS, 20);
    expect(drawn[0]).toEqual(SETTINGS);
    expect(drawn).toEqual(settingsAround(SETTINGS, 20));
    for (const one of drawn) {
      expect(one.fatigue / SETTINGS.fatigue).toBeGreaterThan(0.79);
      expect(one.fatigue / SETTINGS.fatigue).toBeLessThan(1.26);
      expect(one.believed < 1 && one.habitKept < 1 && one.habit > 1).toBe(true);
    }
    expect(new Set(drawn.map(({ fatigue }) => fatigue)).size).toBe(20);
  });

  it("[A68] the shipped setting scores as it does alone, and a category left out has another's setting", () => {
    const corpus = {
      series: [series("a/one.csv", 40), series("b/two.csv", 0)],
      profiles: STANDARD_PROFILES,
      notes: [],
    };
    const { copies, shipped, leftOut } = robustnessOf(SETTINGS, corpus, 3);
    const scored = corpus.series.map(({ at, values, windows }) => {
      const state = seasonal.create();
      return { scores: values.map((value, row) => seasonal.score(state, at[row]!, value)), windows };
    });
    expect(copies[0]!.name).toBe("plain");
    expect(copies[0]!.shipped.standard).toBe(
      scoreAt(scored, seasonal.warning, STANDARD_PROFILES.standard).score,
    );
    expect(shipped.standard).toBeGreaterThan(10);
    expect(leftOut.plain.standard).toBeGreaterThanOrEqual(leftOut.plain.lowFp);
  });
});
