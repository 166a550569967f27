// npm run bench:anomaly: every anomaly detector on a labelled folder, scored as the Numenta Anomaly Benchmark does.
//   node bench/anomaly.ts [--data DIR] [--robust] [--json]
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type AnyDetector, detectors } from "../core/alert/anomaly/index.ts";
import { SETTINGS, seasonal } from "../core/alert/anomaly/seasonal.ts";
import { runCommand } from "../scripts/command/run-command.ts";
import { type Miss, missesOf, type Reason } from "../scripts/nab/misses.ts";
import { type Corpus, type LabelledSeries, readCorpus } from "../scripts/nab/read-corpus.ts";
import { type Robustness, robustnessOf, type Scores } from "../scripts/nab/robustness.ts";
import {
  type ProfileName,
  type Recall,
  recallAt,
  type ScoredSeries,
  scoreAt,
  scoreAtBest,
} from "../scripts/nab/score-nab.ts";
import { showSection } from "./run/section.ts";

const USAGE = `usage: npm run -s bench:anomaly -- [--data DIR] [--robust] [--json]
  --data DIR  holds data/*/*.csv, windows.json and, if the weights differ, profiles.json
              (default ../shared/data/nab)
  --robust    scores seasonal, and settings around its own, on copies of the series too (half a minute)
  --json      prints nothing but the figures, as JSON`;

const DEFAULT_FOLDER = fileURLToPath(new URL("../../shared/data/nab", import.meta.url));
const PROFILES: readonly ProfileName[] = ["standard", "lowFp", "lowFn"];
const TIMED_RUNS = 5;
const DRAWN_SETTINGS = 40;
/** What a detector may cost, from the goals: µs a reading, and bytes of state. */
const MOST_MICROS = 1;
const MOST_STATE_BYTES = 1024;
/** The packed size is looked at every so many readings; it hardly moves between two of them. */
const READINGS_A_PACKING = 97;

interface Figures {
  detector: string;
  shipped: Record<ProfileName, number>;
  best: Record<ProfileName, number>;
  /** Windows with an alarm at the shipped threshold. */
  found: number;
  /** The same, of the first incident of each series and of later ones. */
  recall: Record<"first" | "repeated", Recall>;
  /** What hid the others; absent for a detector that cannot tell. */
  misses?: Miss[];
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
  const misses = detector.name === seasonal.name && {
    misses: series.flatMap((one) => missesOf(seasonal, one)),
  };
  const { found, falseAlarms } = scoreAt(scored, detector.warning, profiles.standard);
  return {
    detector: detector.name,
    shipped: perProfile((profile) => scoreAt(scored, detector.warning, profiles[profile]).score),
    best: perProfile((profile) => scoreAtBest(scored, profiles[profile]).score),
    found,
    recall: recallAt(scored, detector.warning),
    ...misses,
    falseAlarms,
    stateBytes: Math.max(...series.map((one) => largestState(detector, one))),
    microsPerReading: microsPerReading(detector, series),
  };
}

const twoOf = ({ standard, lowFp }: Scores) => `${standard.toFixed(1)} / ${lowFp.toFixed(1)}`;
const shareOf = ({ found, of }: Recall) => `${found} of ${of}`;

function showFigures(figures: readonly Figures[], { series, notes }: Corpus): string {
  const three = (scores: Record<ProfileName, number>) => PROFILES.map((name) => scores[name].toFixed(1));
  const windows = series.reduce((sum, one) => sum + one.windows.length, 0);
  const silence = (detector: string) => {
    const { refractoryMs } = detectors[detector as keyof typeof detectors];
    return refractoryMs === 0 ? "none" : `${refractoryMs / 3_600_000} h`;
  };
  const table = showSection({
    title: `Anomaly detection: ${series.length} series, ${windows} incidents, scored as NAB does`,
    notes: [
      "standard / low FP / low FN; 0 is what silence earns, 100 perfect; shipped: at the detector's own threshold",
      "first, repeated: incidents found of those that are the first of their series, and of later ones",
      ...notes,
    ],
    head: [
      "detector",
      "shipped",
      "best",
      "first",
      "repeated",
      "false alarms",
      "silence",
      "state bytes",
      "µs a reading",
    ],
    rows: figures.map((one) => [
      one.detector,
      three(one.shipped).join(" / "),
      three(one.best).join(" / "),
      shareOf(one.recall.first),
      shareOf(one.recall.repeated),
      String(one.falseAlarms),
      silence(one.detector),
      String(one.stateBytes),
      one.microsPerReading.toFixed(2),
    ]),
    goals: figures.flatMap(({ detector, stateBytes, microsPerReading }) => [
      { what: `${detector}: bytes of state`, atMost: MOST_STATE_BYTES, measured: stateBytes },
      { what: `${detector}: µs a reading`, atMost: MOST_MICROS, measured: microsPerReading },
    ]),
    figures,
  });
  return [
    table,
    ...figures.flatMap(({ detector, misses }) => (misses ? [showMisses(detector, misses)] : [])),
  ].join("\n\n");
}

/** What hid the incidents that were not found. */
function showMisses(detector: string, misses: readonly Miss[]): string {
  const reasons: readonly Reason[] = ["silence", "fatigue", "scale", "together", "quiet"];
  const rows = [true, false].map((isFirst) => {
    const ofThem = misses.filter(({ place }) => (place === 0) === isFirst);
    return [
      isFirst ? "first" : "repeated",
      ...reasons.map((reason) => String(ofThem.filter((miss) => miss.reason === reason).length)),
    ];
  });
  return showSection({
    title: `What hid the incidents that ${detector} missed`,
    notes: [
      "silence: an alarm less than the silence before; fatigue: earlier alarms; scale: grown since the first incident",
      ...misses.map(({ series, place, reason }) => `${series}, incident ${place + 1}: ${reason}`),
    ],
    head: ["incident", ...reasons],
    rows,
    goals: [],
    figures: misses,
  });
}

function showRobustness({ copies, shipped, median, leftOut, settings }: Robustness): string {
  return showSection({
    title: "seasonal on copies of the series, standard / low FP at its own threshold",
    notes: [
      `median: of ${settings} settings, each constant drawn between four fifths and five quarters of the shipped one`,
      "left out: each category of series with the setting that was best on the copies of all other categories",
      "an incident that lies in a copy's probation is left out",
    ],
    head: ["copy", "shipped", "median", "left out"],
    rows: [
      ...copies.map((copy, i) => [
        copy.name,
        twoOf(copy.shipped),
        twoOf(copy.median),
        i === 0 ? twoOf(leftOut.plain) : "",
      ]),
      ["mean", twoOf(shipped), twoOf(median), twoOf(leftOut.copies)],
    ],
    goals: [],
    figures: copies,
  });
}

const OPTIONS = {
  data: { type: "string", default: DEFAULT_FOLDER },
  robust: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const corpus = await readCorpus(values.data);
  const figures = Object.values<AnyDetector>(detectors).map((detector) => measure(detector, corpus));
  const robustness = values.robust ? robustnessOf(SETTINGS, corpus, DRAWN_SETTINGS) : undefined;
  if (values.json) {
    for (const note of corpus.notes) console.error(note);
    const withCopies = figures.map((one) =>
      robustness !== undefined && one.detector === seasonal.name ? { ...one, robustness } : one,
    );
    console.log(JSON.stringify(withCopies));
  } else {
    console.log(showFigures(figures, corpus));
    if (robustness !== undefined) console.log(`\n${showRobustness(robustness)}`);
  }
  return 0;
}

runCommand(USAGE, main);
