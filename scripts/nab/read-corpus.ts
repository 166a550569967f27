// A folder laid out like the Numenta Anomaly Benchmark → labelled series and the weights of its profiles.
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { nab } from "../recordings/nab.ts";
import { type IncidentWindow, type ProfileName, STANDARD_PROFILES, type Weights } from "./score-nab.ts";

export interface LabelledSeries {
  /** `folder/file.csv`, as windows.json names it. */
  name: string;
  /** Epoch ms, in file order: rows are neither sorted nor de-duplicated. */
  at: number[];
  /** NaN where a row has no value. */
  values: number[];
  windows: IncidentWindow[];
}

export interface Corpus {
  series: LabelledSeries[];
  profiles: Record<ProfileName, Weights>;
  /** What a reader should know: series without labels, labels without a series. */
  notes: string[];
}

const NAMES_IN_FILE: Record<ProfileName, string> = {
  standard: "standard",
  lowFp: "reward_low_FP_rate",
  lowFn: "reward_low_FN_rate",
};

/** Reads `data/**.csv`, `windows.json` and, where it is there, `profiles.json` of a folder. */
export async function readCorpus(folder: string): Promise<Corpus> {
  const data = join(folder, "data");
  const labels = join(folder, "windows.json");
  for (const path of [data, labels]) {
    if (!existsSync(path)) {
      throw new Error(
        `${path} is not there: give a folder with data/*/*.csv and windows.json, as --data DIR`,
      );
    }
  }
  const windows = JSON.parse(await readFile(labels, "utf8")) as Record<string, [string, string][]>;
  const names = (await readdir(data, { recursive: true }))
    .filter((name) => name.endsWith(".csv"))
    .map((name) => name.split(sep).join("/"))
    .sort();
  if (names.length === 0) throw new Error(`${data} holds no .csv file`);
  const series: LabelledSeries[] = [];
  for (const name of names) series.push(await readSeries(data, name, windows[name] ?? []));
  return { series, profiles: await readProfiles(folder), notes: notesOn(names, Object.keys(windows)) };
}

async function readSeries(
  data: string,
  name: string,
  windows: readonly [string, string][],
): Promise<LabelledSeries> {
  const at: number[] = [];
  const values: number[] = [];
  for await (const report of nab(join(data, name)).read()) {
    at.push(report.at);
    values.push(report.metrics.value ?? Number.NaN);
  }
  const rowOf = (timestamp: string) => {
    const row = at.indexOf(Date.parse(`${timestamp.replace(" ", "T")}Z`));
    if (row < 0) throw new Error(`windows.json: ${name} has no row at ${timestamp}`);
    return row;
  };
  const placed = windows.map(([first, last]) => ({ firstRow: rowOf(first), lastRow: rowOf(last) }));
  return { name, at, values, windows: placed.sort((a, b) => a.firstRow - b.firstRow) };
}

async function readProfiles(folder: string): Promise<Corpus["profiles"]> {
  const path = join(folder, "profiles.json");
  if (!existsSync(path)) return STANDARD_PROFILES;
  const file = JSON.parse(await readFile(path, "utf8")) as Record<
    string,
    { CostMatrix: Record<"tpWeight" | "fpWeight" | "fnWeight", number> } | undefined
  >;
  const weightsOf = (profile: ProfileName): Weights => {
    const costs = file[NAMES_IN_FILE[profile]]?.CostMatrix;
    if (costs === undefined) return STANDARD_PROFILES[profile];
    return { truePositive: costs.tpWeight, falsePositive: costs.fpWeight, falseNegative: costs.fnWeight };
  };
  return { standard: weightsOf("standard"), lowFp: weightsOf("lowFp"), lowFn: weightsOf("lowFn") };
}

function notesOn(series: readonly string[], labelled: readonly string[]): string[] {
  const unlabelled = series.filter((name) => !labelled.includes(name));
  const absent = labelled.filter((name) => !series.includes(name));
  return [
    ...(unlabelled.length > 0
      ? [`windows.json does not name ${unlabelled.join(", ")}: taken as without an incident`]
      : []),
    ...(absent.length > 0 ? [`windows.json names ${absent.length} series that are not there: left out`] : []),
  ];
}
