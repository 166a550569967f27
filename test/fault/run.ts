// npm run fault: rounds of breaking everything, and a table of what was broken and what it cost, which must be nothing.
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { runCommand, UsageError } from "../../scripts/command/run-command.ts";
import {
  ALERT_FAULTS,
  addCounts,
  type Fault,
  type FaultCounts,
  OPERATOR_FAULTS,
  OUTER_ALERT_FAULTS,
  OUTER_FAULTS,
  RECEIVER_FAULTS,
  WORKER_FAULTS,
} from "./faults.ts";
import { type AlertRoundResult, playAlertRound } from "./play-alert-round.ts";
import { playRound, type RoundResult } from "./play-round.ts";
import { type Play, type RoundOutcome, runRounds } from "./run-rounds.ts";

const USAGE = `usage: npm run fault -- [--alerts] [--rounds 20] [--seed N] [--servers 2] [--keep]
  --alerts      rounds of alerts: are they fired, told and ended, each once?
  --rounds N    how many rounds (default 20)
  --seed N      of the first round; each next round's is one higher (default: chosen by chance, and printed)
  --servers N   servers at once (default 2)
  --keep        leave the state folders behind`;

/** What is played, and how its result is shown. */
interface Game<R> {
  play: Play<R>;
  faults: readonly Fault[];
  /** What was there to be lost; what of it was, which must be 0. */
  sums: [words: string, sum: (result: R) => number][];
  costs: [words: string, cost: (result: R) => number][];
}

const READINGS: Game<RoundResult> = {
  play: playRound,
  faults: [...OUTER_FAULTS, ...OPERATOR_FAULTS, ...WORKER_FAULTS],
  sums: [["readings acknowledged", ({ acknowledged }) => acknowledged]],
  costs: [
    ["lost", ({ lost }) => lost],
    ["doubled", ({ doubled }) => doubled],
    ["accepted that should not be", ({ accepted }) => accepted],
  ],
};

const ALERTS: Game<AlertRoundResult> = {
  play: playAlertRound,
  faults: [
    ...OUTER_FAULTS.filter((fault) => fault !== "device deleted under way"),
    ...OUTER_ALERT_FAULTS,
    ...WORKER_FAULTS.filter((fault) => !/silent|R2/.test(fault)),
    ...ALERT_FAULTS,
    ...RECEIVER_FAULTS,
  ],
  sums: [
    ["alerts fired", ({ fired }) => fired],
    ["firings to tell, each at each channel", ({ firings }) => firings],
    ["delivered", ({ delivered }) => delivered],
    ["messages sent for it, repeated ones too", ({ messages }) => messages],
  ],
  costs: [
    ["lost", ({ lost }) => lost],
    ["under two keys, or twice", ({ twice }) => twice],
    ["not justified", ({ unjustified }) => unjustified],
    ["without its one resolve", ({ unresolved }) => unresolved],
  ],
};

/** Undefined: help was asked for. */
function readArguments() {
  const { values } = parseArgs({
    options: {
      alerts: { type: "boolean", default: false },
      rounds: { type: "string", default: "20" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
      servers: { type: "string", default: "2" },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const number = (name: "rounds" | "seed" | "servers", least: number) => {
    const value = Number(values[name]);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new UsageError(`--${name} ${values[name]}: a whole number from ${least}`);
  };
  return {
    alerts: values.alerts,
    rounds: number("rounds", 1),
    seed: number("seed", 0),
    servers: number("servers", 1),
    keep: values.keep,
  };
}

type Options = Omit<NonNullable<ReturnType<typeof readArguments>>, "alerts">;
interface Played {
  seed: number;
  faults: FaultCounts;
  examples: string[];
}

const count = (value: number) => value.toLocaleString("en-US");
const injectedIn = (faults: FaultCounts) => Object.values(faults).reduce((sum, times) => sum + times, 0);

function lineOf<R extends Played>({ sums, costs }: Game<R>, outcome: RoundOutcome<R>): string {
  if (outcome.error !== undefined) return `round ${outcome.seed}: FAILED: ${outcome.error}`;
  const { seed, faults, examples } = outcome;
  const figures = [...sums, ...costs].map(([words, of]) => `${of(outcome as R)} ${words}`);
  const line = `round ${seed}: ${injectedIn(faults)} faults, ${figures.join(", ")}`;
  return [line, ...examples.map((example) => `  ${example}`)].join("\n");
}

function tableOf<R extends Played>(
  game: Game<R>,
  outcomes: readonly RoundOutcome<R>[],
  seconds: number,
): string {
  const whole = outcomes.filter(({ error }) => error === undefined) as R[];
  const injected: FaultCounts = {};
  for (const { faults } of whole) addCounts(injected, faults);
  const table = new Table({ colAligns: ["left", "right"], style: { head: [], border: [], compact: true } });
  for (const fault of game.faults) table.push([fault, count(injected[fault] ?? 0)]);
  table.push(["faults injected", count(injectedIn(injected))], ["rounds", count(outcomes.length)]);
  const failed = outcomes.length - whole.length;
  if (failed > 0) table.push(["rounds not played to the end", count(failed)]);
  table.push(["seconds", count(Math.round(seconds))]);
  for (const [words, of] of [...game.sums, ...game.costs])
    table.push([words, count(whole.reduce((sum, result) => sum + of(result), 0))]);
  return table.toString();
}

/** True: nothing was lost. */
async function run<R extends Played>(game: Game<R>, options: Options, flags: string): Promise<boolean> {
  const startedAt = Date.now();
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());
  const outcomes = await runRounds<R>({
    ...options,
    play: game.play,
    signal: stopping.signal,
    onRound: (outcome) => console.log(lineOf(game, outcome)),
  });
  console.log(tableOf(game, outcomes, (Date.now() - startedAt) / 1_000));
  const isBad = (outcome: RoundOutcome<R>) =>
    outcome.error !== undefined || game.costs.some(([, of]) => of(outcome as R) > 0);
  const bad = outcomes.filter(isBad);
  for (const { seed } of bad) console.log(`again: npm run fault -- ${flags}--rounds 1 --seed ${seed}`);
  return bad.length === 0 && outcomes.length === options.rounds;
}

async function main(): Promise<number> {
  const given = readArguments();
  if (given === undefined) {
    console.log(USAGE);
    return 0;
  }
  const { alerts, ...options } = given;
  console.log(`${options.rounds} rounds from seed ${options.seed}`);
  const isGood = alerts ? await run(ALERTS, options, "--alerts ") : await run(READINGS, options, "");
  return isGood ? 0 : 1;
}

runCommand(USAGE, main);
