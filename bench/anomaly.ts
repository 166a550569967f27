// npm run bench:anomaly: every anomaly detector on a labelled folder, scored as the Numenta Anomaly Benchmark does.
//   node bench/anomaly.ts [--data DIR] [--json]
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type AnyDetector, detectors } from "../core/alert/anomaly/index.ts";
import { type Corpus, type LabelledSeries, readCorpus } from "../scripts/nab/read-corpus.ts";
import { type ProfileName, type ScoredSeries, scoreAt, scoreAtBest } from "../scripts/nab/score-nab.ts";
import { showSection } from "./run/section.ts";

const USAGE = `usage: npm run -s bench:anomaly -- [--data DIR] [--json]
  --data DIR  holds data/*/*.csv, windows.json and, if the weights differ, profiles.json
              (default ../shared/data/nab)
  --json      prints nothing but the figures, as JSON`;

const DEFAULT_FOLDER = fileURLToPath(new URL("../../shared/data/nab", import.meta.url));
const PROFILES: readonly ProfileName[] = ["standard", "lowFp", "lowFn"];
const TIMED_RUNS = 5;
/** The packed size is looked at every so many readings; it hardly moves between two of them. */
const READINGS_A_PACKING = 97;

interface Figures {
  detector: string;
  shipped: Record<ProfileName, number>;
  best: Record<ProfileName, number>;
  /** Windows with an alarm at the shipped threshold. */
  found: number;
  /** Flagged rows outside every window and probation, at the shipped threshold. */
  falseAlarms: number;
  stateBytes: number;
  microsPerReading: number;
}

function scoresOf(detector: AnyDetector, { at, values }: LabelledSeries): Float64Array {
  const state = detector.create();
  return Float64Array.from(values, (value, row) => detector.score(state, at[row]!, value));
}

function largestState(detector: AnyDetector, { at, values }: LabelledSeries): number {
  const state = detector.create();
  let largest = detector.pack(state).length;
  values.forEach((value, row) => {
    detector.score(state, at[row]!, value);
    if (row % READINGS_A_PACKING === 0) largest = Math.max(largest, detector.pack(state).length);
  });
  return Math.max(largest, detector.pack(state).length);
}

function microsPerReading(detector: AnyDetector, series: readonly LabelledSeries[]): number {
  const readings = series.reduce((sum, { values }) => sum + values.length, 0);
  const runs = Array.from({ length: TIMED_RUNS }, () => {
    const startedAt = performance.now();
    for (const one of series) scoresOf(detector, one);
    return (1000 * (performance.now() - startedAt)) / readings;
  });
  return runs.sort((a, b) => a - b)[TIMED_RUNS >> 1]!;
}

function measure(detector: AnyDetector, { series, profiles }: Corpus): Figures {
  const scored: ScoredSeries[] = series.map((one) => ({
    scores: scoresOf(detector, one),
    windows: one.windows,
  }));
  const perProfile = (score: (profile: ProfileName) => number) =>
    Object.fromEntries(PROFILES.map((profile) => [profile, score(profile)])) as Record<ProfileName, number>;
  const { found, falseAlarms } = scoreAt(scored, detector.warning, profiles.standard);
  return {
    detector: detector.name,
    shipped: perProfile((profile) => scoreAt(scored, detector.warning, profiles[profile]).score),
    best: perProfile((profile) => scoreAtBest(scored, profiles[profile]).score),
    found,
    falseAlarms,
    stateBytes: Math.max(...series.map((one) => largestState(detector, one))),
    microsPerReading: microsPerReading(detector, series),
  };
}

function showFigures(figures: readonly Figures[], { series, notes }: Corpus): string {
  const three = (scores: Record<ProfileName, number>) => PROFILES.map((name) => scores[name].toFixed(1));
  const windows = series.reduce((sum, one) => sum + one.windows.length, 0);
  const days = (detector: string) => {
    const { refractoryMs } = detectors[detector as keyof typeof detectors];
    return refractoryMs === 0 ? "none" : `${refractoryMs / 3_600_000} h`;
  };
  return showSection({
    title: `Anomaly detection: ${series.length} series, ${windows} incidents, scored as NAB does`,
    notes: [
      "standard / low FP / low FN; 0 is what silence earns, 100 perfect; shipped: at the detector's own threshold",
      ...notes,
    ],
    head: ["detector", "shipped", "best", "found", "false alarms", "silence", "state bytes", "µs a reading"],
    rows: figures.map((one) => [
      one.detector,
      three(one.shipped).join(" / "),
      three(one.best).join(" / "),
      `${one.found} of ${windows}`,
      String(one.falseAlarms),
      days(one.detector),
      String(one.stateBytes),
      one.microsPerReading.toFixed(2),
    ]),
    goals: [],
    figures,
  });
}

const { values: options } = parseArgs({
  options: {
    data: { type: "string", default: DEFAULT_FOLDER },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(USAGE);
} else {
  try {
    const corpus = await readCorpus(options.data);
    const figures = Object.values<AnyDetector>(detectors).map((detector) => measure(detector, corpus));
    if (options.json) {
      for (const note of corpus.notes) console.error(note);
      console.log(JSON.stringify(figures));
    } else {
      console.log(showFigures(figures, corpus));
    }
  } catch (error) {
    console.error(`bench:anomaly: ${error instanceof Error ? error.message : error}\n${USAGE}`);
    process.exitCode = 1;
  }
}
