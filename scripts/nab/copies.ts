// Labelled series → copies on which a detector that was fitted to the series is a stranger again.
import type { LabelledSeries } from "./read-corpus.ts";
import { type IncidentWindow, probationRows } from "./score-nab.ts";

const WEEK_MS = 7 * 24 * 3_600_000;
/** Deviation of the noise, in usual steps from one row to the next. */
const NOISE_STEPS = 0.5;

type Copy = (series: LabelledSeries) => LabelledSeries;

/** The copies by name, the series as they are among them. */
export const COPIES: Readonly<Record<string, Copy>> = {
  plain: (series) => series,
  "entered at ¼": (series) => enteredAt(series, 1 / 4),
  "entered at ½": (series) => enteredAt(series, 1 / 2),
  "entered at ¾": (series) => enteredAt(series, 3 / 4),
  reversed,
  "reversed, entered at ½": (series) => enteredAt(reversed(series), 1 / 2),
  noisy,
};

/**
 * Returns a series that begins at a share of the rows and goes on with what was before it, whole weeks later, so that
 * hours keep their place. It begins outside of incidents, and where it can, so that none of them begins in probation.
 */
export function enteredAt({ name, at, values, windows }: LabelledSeries, share: number): LabelledSeries {
  const rows = values.length;
  const first = firstRowNear(Math.floor(share * rows), rows, windows);
  const laterMs = WEEK_MS * Math.ceil((at[rows - 1]! - at[0]! + 1) / WEEK_MS);
  const moved = (row: number) => (row - first + rows) % rows;
  return {
    name,
    at: [...at.slice(first), ...at.slice(0, first).map((ms) => ms + laterMs)],
    values: [...values.slice(first), ...values.slice(0, first)],
    windows: countable(
      rows,
      windows.map(({ firstRow, lastRow }) => ({ firstRow: moved(firstRow), lastRow: moved(lastRow) })),
    ),
  };
}

/** The nearest row, within a tenth of them, that no window holds: best one with none beginning soon after it. */
function firstRowNear(wanted: number, rows: number, windows: readonly IncidentWindow[]): number {
  const isBetween = (row: number) =>
    windows.every(({ firstRow, lastRow }) => row <= firstRow || row > lastRow);
  const isCalm = (row: number) =>
    isBetween(row) && windows.every(({ firstRow }) => (firstRow - row + rows) % rows >= probationRows(rows));
  for (const isGood of [isCalm, isBetween]) {
    for (let away = 0; away < rows / 10; away++) {
      for (const row of [wanted + away, wanted - away]) if (row >= 0 && row < rows && isGood(row)) return row;
    }
  }
  // In the middle of a long incident: what is left of it is an incident that began before the series.
  return 0;
}

/** Returns a series that runs from its end to its beginning, between the same two instants. */
export function reversed({ name, at, values, windows }: LabelledSeries): LabelledSeries {
  const rows = values.length;
  const both = at[0]! + at[rows - 1]!;
  return {
    name,
    at: at.map((ms) => both - ms).reverse(),
    values: values.toReversed(),
    windows: countable(
      rows,
      windows.map(({ firstRow, lastRow }) => ({
        firstRow: rows - 1 - lastRow,
        lastRow: rows - 1 - firstRow,
      })),
    ),
  };
}

/** Returns a series with noise of half its usual step added, the same each time. */
export function noisy({ name, at, values, windows }: LabelledSeries): LabelledSeries {
  const steps = values.slice(1).map((value, row) => Math.abs(value - values[row]!));
  const median = steps.toSorted((a, b) => a - b)[steps.length >> 1] ?? 0;
  const mean = steps.reduce((sum, step) => sum + step, 0) / Math.max(1, steps.length);
  const deviation = NOISE_STEPS * Math.max(median, mean / 10);
  const random = randomFrom(1);
  return { name, at, values: values.map((value) => value + deviation * gaussian(random)), windows };
}

/** In order, and without those that mostly lie in probation: nothing in it counts. */
const countable = (rows: number, windows: IncidentWindow[]): IncidentWindow[] =>
  windows
    .filter(({ firstRow, lastRow }) => (firstRow + lastRow) / 2 >= probationRows(rows))
    .sort((a, b) => a.firstRow - b.firstRow);

/** Returns a source of numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const gaussian = (random: () => number) =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
