// Plays the whole Beijing recording, shuffled, into a server of its own and compares every tier: npm run verify:beijing.
import { existsSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { runCommand, UsageError } from "../command/run-command.ts";
import type { Verification } from "./verify-beijing.ts";

const USAGE = `usage: npm run verify:beijing -- [options]

Delivers the rows of the Beijing recording within a week of their hour, 5 % of them twice and 2 % corrected, to a server
started for it, and compares verdicts, latest, hot, warm and cold with what the CSV files and the schedule say.

  --stations N  the first N of the twelve stations  [12]
  --months N    the first N of the 48 months        [48]
  --seed N      of the schedule                     [1]
  --state DIR   keep the server's state here        [a temporary folder, removed at the end]
  --data DIR    beijing_air.tgz and monthly_expected.csv  [../shared/data/beijing_air]

Exit code 0: everything agrees, 1: something differs, 2: wrong usage.`;

const DATA = new URL("../../../shared/data/beijing_air/", import.meta.url).pathname;

function countOf(option: string, given: string, most: number): number {
  const count = Number(given);
  if (!Number.isInteger(count) || count < 1 || count > most)
    throw new UsageError(`--${option} ${given}: a whole number from 1 to ${most}`);
  return count;
}

/** Undefined: help was asked for. */
function argumentsOf() {
  const { values } = parseArgs({
    options: {
      stations: { type: "string", default: "12" },
      months: { type: "string", default: "48" },
      seed: { type: "string", default: "1" },
      state: { type: "string" },
      data: { type: "string", default: DATA },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const data = values.data.endsWith("/") ? values.data : `${values.data}/`;
  for (const name of ["beijing_air.tgz", "monthly_expected.csv"])
    if (!existsSync(data + name))
      throw new UsageError(`--data ${data}: there is no ${name} in it; name the folder that has it`);
  return {
    stations: countOf("stations", values.stations, 12),
    months: countOf("months", values.months, 48),
    seed: countOf("seed", values.seed, 2 ** 32 - 1),
    state: values.state,
    data,
  };
}

const count = (value: number) => value.toLocaleString("en-US");
const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

/** True: something was compared, and nothing differs. */
function show({ agreements, deliveries, replay, files, merged, stepsMs }: Verification): boolean {
  const { readings, durationMs, latencyMs } = replay;
  const perSecond = Math.round((deliveries * 1_000) / durationMs);
  console.log(
    `${count(deliveries)} reports, ${count(readings.acknowledged)} readings in ${seconds(durationMs)}: ` +
      `${count(perSecond)} reports a second; requests p50 ${latencyMs.p50} ms, p99 ${latencyMs.p99} ms, ` +
      `${replay.retries} repeated; ${count(files.files)} raw files of ${count(files.bytes)} bytes, ` +
      `${count(merged.files)} of ${count(merged.bytes)} after the chores`,
  );
  const table = new Table({
    head: ["", "agreed", "differed", "took"],
    colAligns: ["left", "right", "right", "right"],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, agreed, differed } of agreements)
    table.push([name, count(agreed), count(differed), seconds(stepsMs[name]!)]);
  console.log(table.toString());
  for (const { differences } of agreements) for (const sentence of differences) console.log(sentence);
  const [agreed, differed] = [sum(agreements, "agreed"), sum(agreements, "differed")];
  console.log(`${count(agreed)} agreed, ${count(differed)} differed`);
  return differed === 0 && agreed > 0;
}

const sum = (agreements: Verification["agreements"], field: "agreed" | "differed") =>
  agreements.reduce((total, agreement) => total + agreement[field], 0);

/** A line each twentieth of the way, with the rate since the last. */
function progress(): (reports: number, ofReports: number) => void {
  let told = { reports: 0, atMs: performance.now() };
  return (reports, ofReports) => {
    if (reports - told.reports < ofReports / 20) return;
    const atMs = performance.now();
    const perSecond = ((reports - told.reports) * 1_000) / (atMs - told.atMs);
    told = { reports, atMs };
    console.error(
      `${count(reports)} of ${count(ofReports)} reports, ${count(Math.round(perSecond))} a second`,
    );
  };
}

async function main(): Promise<number> {
  const options = argumentsOf();
  if (options === undefined) {
    console.log(USAGE);
    return 0;
  }
  // wrangler and Miniflare take a second or more to load: a usage is not to wait for them.
  const { verifyBeijing } = await import("./verify-beijing.ts");
  const temporary =
    options.state === undefined ? await mkdtemp(join(tmpdir(), "telltale-state-")) : undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
      process.exit(130);
    });
  }
  try {
    const state = options.state ?? temporary;
    const onStep = (step: string) => console.error(step);
    return show(await verifyBeijing({ ...options, state, onStep, onDelivered: progress() })) ? 0 : 1;
  } finally {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  }
}

runCommand(USAGE, main);
