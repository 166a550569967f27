// Detector scores of labelled series → the score of the Numenta Anomaly Benchmark, at a threshold or at the best one.

export interface Weights {
  truePositive: number;
  falsePositive: number;
  falseNegative: number;
}

/** Places of rows, both ends in the window. */
export interface IncidentWindow {
  firstRow: number;
  lastRow: number;
}

export interface ScoredSeries {
  /** One a row, in file order, in [0, 1]. */
  scores: ArrayLike<number>;
  /** In order, not overlapping. */
  windows: readonly IncidentWindow[];
}

export interface Outcome {
  threshold: number;
  /** 0 is what saying nothing earns, 100 perfect. */
  score: number;
  /** Windows with a flagged row. */
  found: number;
  /** Flagged rows outside every window. */
  falseAlarms: number;
}

export type ProfileName = "standard" | "lowFp" | "lowFn";

export const STANDARD_PROFILES: Record<ProfileName, Weights> = {
  standard: { truePositive: 1, falsePositive: 0.11, falseNegative: 1 },
  lowFp: { truePositive: 1, falsePositive: 0.22, falseNegative: 1 },
  lowFn: { truePositive: 1, falsePositive: 0.11, falseNegative: 2 },
};

const MAX_PROBATION_ROWS = 750;

/** Rows at the head of a series that neither gain nor lose. */
export const probationRows = (rows: number): number => Math.min(Math.floor(0.15 * rows), MAX_PROBATION_ROWS);

/** NAB's scaled sigmoid: near 1 far before the end of a window, 0 at it, −1 well after it. */
export const sigmoid = (y: number): number => (y > 3 ? -1 : 2 / (1 + Math.exp(5 * y)) - 1);

/** What a flagged row is worth: 1 at the first row of a window to near 0 at its last; negative outside. */
export function worthOf(row: number, windows: readonly IncidentWindow[]): number {
  let before: IncidentWindow | undefined;
  for (const window of windows) {
    if (row < window.firstRow) break;
    if (row <= window.lastRow) {
      const width = window.lastRow - window.firstRow + 1;
      return sigmoid(-(window.lastRow - row + 1) / width) / sigmoid(-1);
    }
    before = window;
  }
  if (before === undefined) return -1;
  return sigmoid((row - before.lastRow) / (before.lastRow - before.firstRow));
}

interface CountedRow {
  score: number;
  worth: number;
  /** The window it lies in, counted over all series; −1 outside. */
  window: number;
}

/** The rows of at least the threshold that count, over the whole corpus, by falling score. */
function countedRows(corpus: readonly ScoredSeries[], threshold: number): CountedRow[] {
  const counted: CountedRow[] = [];
  let windowsBefore = 0;
  for (const { scores, windows } of corpus) {
    for (let row = probationRows(scores.length); row < scores.length; row++) {
      if (!(scores[row]! >= threshold)) continue;
      const inside = windows.findIndex(({ firstRow, lastRow }) => firstRow <= row && row <= lastRow);
      counted.push({
        score: scores[row]!,
        worth: worthOf(row, windows),
        window: inside < 0 ? -1 : windowsBefore + inside,
      });
    }
    windowsBefore += windows.length;
  }
  return counted.sort((a, b) => b.score - a.score);
}

/** The outcome at every threshold that makes a difference, from flagging nothing down to `least`. */
function* sweep(
  corpus: readonly ScoredSeries[],
  weights: Weights,
  least = Number.NEGATIVE_INFINITY,
): Generator<Outcome> {
  const windows = corpus.reduce((sum, series) => sum + series.windows.length, 0);
  const best = new Float64Array(windows).fill(Number.NEGATIVE_INFINITY);
  const base = -windows * weights.falseNegative;
  const perfect = windows * weights.truePositive;
  let sum = base;
  let found = 0;
  let falseAlarms = 0;
  const outcome = (threshold: number): Outcome => ({
    threshold,
    // Without a window nothing can be gained, and the scale is one incident.
    score: windows === 0 ? 100 * sum : (100 * (sum - base)) / (perfect - base),
    found,
    falseAlarms,
  });
  yield outcome(Number.POSITIVE_INFINITY);
  const rows = countedRows(corpus, least);
  for (let i = 0; i < rows.length; i++) {
    const { score, worth, window } = rows[i]!;
    if (window < 0) {
      sum += weights.falsePositive * worth;
      falseAlarms++;
    } else if (best[window] === Number.NEGATIVE_INFINITY) {
      sum += weights.falseNegative + weights.truePositive * worth;
      best[window] = worth;
      found++;
    } else if (worth > best[window]!) {
      sum += weights.truePositive * (worth - best[window]!);
      best[window] = worth;
    }
    if (rows[i + 1]?.score !== score) yield outcome(score);
  }
}

/**
 * The NAB score of a corpus when a row is flagged at `score >= threshold`.
 *
 * @example
 * const scores = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0];
 * scoreAt([{ scores, windows: [{ firstRow: 7, lastRow: 8 }] }], 0.5, STANDARD_PROFILES.standard).score; // 100
 */
export function scoreAt(corpus: readonly ScoredSeries[], threshold: number, weights: Weights): Outcome {
  let last: Outcome | undefined;
  for (const outcome of sweep(corpus, weights, threshold)) last = outcome;
  return { ...last!, threshold };
}

/** The one threshold for the whole corpus at which it scores most, as the benchmark itself picks it. */
export function scoreAtBest(corpus: readonly ScoredSeries[], weights: Weights): Outcome {
  let best: Outcome | undefined;
  for (const outcome of sweep(corpus, weights)) {
    if (best === undefined || outcome.score > best.score) best = outcome;
  }
  return best!;
}

/** How many incidents there are, and how many of them have a flagged row that counts. */
export interface Recall {
  found: number;
  of: number;
}

/** Whether a window has a row that counts and is flagged when a row is at `score >= threshold`. */
export function isFound(
  scores: ArrayLike<number>,
  { firstRow, lastRow }: IncidentWindow,
  threshold: number,
): boolean {
  for (let row = Math.max(firstRow, probationRows(scores.length)); row <= lastRow; row++) {
    if (scores[row]! >= threshold) return true;
  }
  return false;
}

/** The recall of the first incident of each series, and of the later ones, at a threshold. */
export function recallAt(
  corpus: readonly ScoredSeries[],
  threshold: number,
): Record<"first" | "repeated", Recall> {
  const recall = { first: { found: 0, of: 0 }, repeated: { found: 0, of: 0 } };
  for (const { scores, windows } of corpus) {
    for (const [place, window] of windows.entries()) {
      const one = place === 0 ? recall.first : recall.repeated;
      one.of++;
      if (isFound(scores, window, threshold)) one.found++;
    }
  }
  return recall;
}
