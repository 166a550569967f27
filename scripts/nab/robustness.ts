// A detector's settings, and others drawn around them, on copies of the series → how much of a score is chance.
import type { AnyDetector } from "../../core/alert/anomaly/index.ts";
import { type SeasonalSettings, seasonalWith } from "../../core/alert/anomaly/seasonal.ts";
import { COPIES, randomFrom } from "./copies.ts";
import type { Corpus, LabelledSeries } from "./read-corpus.ts";
import { type ScoredSeries, scoreAt } from "./score-nab.ts";

/** How far from the shipped one a drawn constant may be, as a logarithm: between four fifths and five quarters. */
const SPREAD = 0.22;

export interface Scores {
  standard: number;
  lowFp: number;
}

export interface Robustness {
  /** By copy: the shipped setting, and the median of all settings. */
  copies: { name: string; shipped: Scores; median: Scores }[];
  /** Means over the copies. */
  shipped: Scores;
  median: Scores;
  /**
   * Each category scored with the setting that is best on the copies of all others, together: of the plain series, and
   * the mean over the copies.
   */
  leftOut: { plain: Scores; copies: Scores };
  settings: number;
}

/** Returns settings around the given ones, themselves the first, the same each time; whole numbers need not stay so. */
export function settingsAround(settings: SeasonalSettings, count: number): SeasonalSettings[] {
  const random = randomFrom(7);
  return Array.from({ length: count }, (_, draw) => {
    if (draw === 0) return settings;
    const drawn = { ...settings };
    for (const name of Object.keys(drawn) as (keyof SeasonalSettings)[]) {
      const factor = Math.exp(SPREAD * (2 * random() - 1));
      // A habit is exceeded by a share beyond 1, a share of 1 is all there is.
      if (name === "habit") drawn[name] = 1 + (drawn[name] - 1) * factor;
      else if (name === "habitKept" || name === "believed") drawn[name] = 1 - (1 - drawn[name]) * factor;
      else drawn[name] *= factor;
    }
    return drawn;
  });
}

const categoryOf = ({ name }: LabelledSeries) => name.split("/")[0]!;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Flags, one a row, to keep many settings in memory: 1 where the score is a warning. */
function flaggedBy(detector: AnyDetector, { at, values, windows }: LabelledSeries): ScoredSeries {
  const state = detector.create();
  const scores = Uint8Array.from(values, (value, row) =>
    detector.score(state, at[row]!, value) >= detector.warning ? 1 : 0,
  );
  return { scores, windows };
}

/** Scores `count` settings around the shipped one on every copy: some 0.3 s each on the benchmark's half. */
export function robustnessOf(
  settings: SeasonalSettings,
  { series, profiles }: Corpus,
  count: number,
): Robustness {
  const names = Object.keys(COPIES);
  const copies = names.map((name) => series.map(COPIES[name]!));
  const flagged = settingsAround(settings, count).map((drawn) => {
    const detector = seasonalWith(drawn);
    return copies.map((copy) => copy.map((one) => flaggedBy(detector, one)));
  });
  const scoresOf = (scored: ScoredSeries[]): Scores => ({
    standard: scoreAt(scored, 1, profiles.standard).score,
    lowFp: scoreAt(scored, 1, profiles.lowFp).score,
  });
  const both = (of: (values: number[]) => number, scores: readonly Scores[]): Scores => ({
    standard: of(scores.map(({ standard }) => standard)),
    lowFp: of(scores.map(({ lowFp }) => lowFp)),
  });
  const whole = flagged.map((ofSetting) => ofSetting.map(scoresOf));
  const bestWithout = new Map(
    [...new Set(series.map(categoryOf))].map((category) => {
      const others = flagged.map((ofSetting) =>
        mean(
          ofSetting.map((copy) => {
            const { standard, lowFp } = scoresOf(copy.filter((_, i) => categoryOf(series[i]!) !== category));
            return standard + lowFp;
          }),
        ),
      );
      return [category, others.indexOf(Math.max(...others))];
    }),
  );
  const leftOut = names.map((_, copy) =>
    scoresOf(series.map((one, i) => flagged[bestWithout.get(categoryOf(one))!]![copy]![i]!)),
  );
  return {
    copies: names.map((name, copy) => ({
      name,
      shipped: whole[0]![copy]!,
      median: both(
        median,
        whole.map((ofSetting) => ofSetting[copy]!),
      ),
    })),
    shipped: both(mean, whole[0]!),
    median: both(
      median,
      whole.map((ofSetting) => both(mean, ofSetting)),
    ),
    leftOut: { plain: leftOut[0]!, copies: both(mean, leftOut) },
    settings: count,
  };
}
