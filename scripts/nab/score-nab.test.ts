import { describe, expect, it } from "vitest";
import {
  probationRows,
  recallAt,
  type ScoredSeries,
  STANDARD_PROFILES,
  scoreAt,
  scoreAtBest,
  sigmoid,
  worthOf,
} from "./score-nab.ts";

const { standard, lowFp, lowFn } = STANDARD_PROFILES;

/** A series of `rows` rows with the given scores at some of them. */
const series = (
  rows: number,
  scores: Record<number, number>,
  ...windows: [number, number][]
): ScoredSeries => ({
  scores: Array.from({ length: rows }, (_, row) => scores[row] ?? 0),
  windows: windows.map(([firstRow, lastRow]) => ({ firstRow, lastRow })),
});

describe("NAB's scorer", () => {
  it("[A43] has a sigmoid of 0 at 0, −tanh(2.5) at 1, and −1 beyond 3", () => {
    expect(sigmoid(0)).toBe(0);
    expect(sigmoid(1)).toBeCloseTo(-0.9866142981514305, 12);
    expect(sigmoid(-1)).toBeCloseTo(0.9866142981514305, 12);
    expect(sigmoid(3)).toBeCloseTo(-0.9999993881955461, 12);
    expect(sigmoid(3.0001)).toBe(-1);
  });

  it("[A43] leaves out 15 % of the rows, rounded down, at most 750", () => {
    expect([0, 6, 7, 100, 4032, 5000, 22_695].map(probationRows)).toEqual([0, 0, 1, 15, 604, 750, 750]);
  });

  it("[A43] values rows in, before and after windows", () => {
    const windows = [
      { firstRow: 10, lastRow: 19 },
      { firstRow: 60, lastRow: 60 },
    ];
    const worth = (row: number) => worthOf(row, windows);
    expect(worth(9)).toBe(-1);
    expect(worth(10)).toBe(1);
    // Half of the window is left: tanh(1.25) / tanh(2.5).
    expect(worth(15)).toBeCloseTo(0.848283639957513 / 0.9866142981514303, 12);
    // Its last row: tanh(0.25) / tanh(2.5).
    expect(worth(19)).toBeCloseTo(0.244918662403709 / 0.9866142981514303, 12);
    // 9 rows after a window of width 10: −tanh(2.5).
    expect(worth(28)).toBeCloseTo(-0.9866142981514303, 12);
    expect(worth(19 + 28)).toBe(-1);
    expect(worth(60)).toBe(1);
    expect(worth(61)).toBe(-1);
  });

  it("[A43] gives nothing for silence and 100 for each window's first row", () => {
    const windows: [number, number][] = [
      [40, 49],
      [70, 79],
    ];
    for (const weights of [standard, lowFp, lowFn]) {
      expect(scoreAt([series(100, {}, ...windows)], 0.5, weights).score).toBe(0);
      const perfect = scoreAt([series(100, { 40: 1, 70: 0.5 }, ...windows)], 0.5, weights);
      expect(perfect).toEqual({ threshold: 0.5, score: 100, found: 2, falseAlarms: 0 });
    }
  });

  it("[A43] counts a window's best row, its misses and false alarms by their weights", () => {
    const corpus = [
      // Two rows in the window, of which the earlier counts; a false alarm before and one in probation.
      series(100, { 5: 1, 30: 1, 45: 1, 48: 1 }, [40, 49]),
      // A miss.
      series(100, {}, [40, 49]),
      // No window: a false alarm costs the whole weight.
      series(100, { 99: 1 }),
    ];
    const half = 0.848283639957513 / 0.9866142981514303;
    // X = half − 1 − 2 × 0.11; base = −2; perfect = 2.
    expect(scoreAt(corpus, 0.5, standard).score).toBeCloseTo((100 * (half - 1 - 0.22 + 2)) / 4, 10);
    expect(scoreAt(corpus, 0.5, lowFp).score).toBeCloseTo((100 * (half - 1 - 0.44 + 2)) / 4, 10);
    // X = half − 2 − 0.22; base = −4; perfect = 2.
    expect(scoreAt(corpus, 0.5, lowFn).score).toBeCloseTo((100 * (half - 2 - 0.22 + 4)) / 6, 10);
    expect(scoreAt(corpus, 0.5, standard)).toMatchObject({ found: 1, falseAlarms: 2 });
  });

  it("[A68] tells the first incident of a series from later ones", () => {
    const corpus = [
      series(100, { 30: 0.9, 75: 0.5 }, [40, 49], [60, 69], [70, 79]),
      // In probation a flagged row finds nothing.
      series(100, { 12: 1 }, [10, 14]),
      series(100, { 40: 1 }),
    ];
    expect(recallAt(corpus, 0.5)).toEqual({ first: { found: 0, of: 2 }, repeated: { found: 1, of: 2 } });
    expect(recallAt(corpus, 0.6).repeated.found).toBe(0);
  });

  it("[A43] flags at the threshold and above", () => {
    const corpus = [series(100, { 40: 0.5, 20: 0.4 }, [40, 49])];
    expect(scoreAt(corpus, 0.5, standard)).toMatchObject({ score: 100, falseAlarms: 0 });
    expect(scoreAt(corpus, 0.4, standard)).toMatchObject({ falseAlarms: 1 });
    expect(scoreAt(corpus, 0.50001, standard)).toMatchObject({ score: 0, found: 0 });
  });

  it("[A43] picks the one threshold of the whole corpus that scores most", () => {
    // At 0.6 one window and no false alarm; at 0.4 both windows and one; at 0.2 two hundred false alarms more.
    const noise = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [100 + i, 0.2]));
    const corpus = [
      series(1000, { 600: 0.6 }, [600, 609]),
      series(1000, { ...noise, 150: 0.4, 600: 0.4 }, [600, 609]),
    ];
    const best = scoreAtBest(corpus, standard);
    expect(best).toMatchObject({ threshold: 0.4, found: 2, falseAlarms: 1 });
    // X = 2 − 0.11; base = −2; perfect = 2.
    expect(best.score).toBeCloseTo((100 * (2 - 0.11 + 2)) / 4, 10);
    // A false alarm may cost more than a window is worth.
    const dear = { truePositive: 1, falsePositive: 5, falseNegative: 1 };
    expect(scoreAtBest(corpus, dear)).toMatchObject({ threshold: 0.6, found: 1, falseAlarms: 0 });
  });

  it("[A43] says nothing at all where any threshold would lose", () => {
    const best = scoreAtBest([series(100, { 20: 0.9, 21: 0.9 }, [40, 49])], standard);
    expect(best).toMatchObject({ threshold: Number.POSITIVE_INFINITY, score: 0 });
  });
});
