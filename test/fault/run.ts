// npm run fault: rounds of breaking everything, and a table of what was broken and what it cost, which must be nothing.
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { addCounts, type FaultCounts, OUTER_FAULTS, WORKER_FAULTS } from "./faults.ts";
import { type RoundOutcome, runRounds } from "./run-rounds.ts";

const USAGE = `usage: npm run fault -- [--rounds 20] [--seed N] [--servers 2] [--keep]
  --rounds N    how many rounds (default 20)
  --seed N      of the first round; each next round's is one higher (default: chosen by chance, and printed)
  --servers N   servers at once (default 2)
  --keep        leave the state folders behind`;

function readArguments() {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "20" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
      servers: { type: "string", default: "2" },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const number = (name: "rounds" | "seed" | "servers", least: number) => {
    const value = Number(values[name]);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new Error(`--${name} ${values[name]}: a whole number from ${least}\n\n${USAGE}`);
  };
  return {
    rounds: number("rounds", 1),
    seed: number("seed", 0),
    servers: number("servers", 1),
    keep: values.keep,
  };
}

const count = (value: number) => value.toLocaleString("en-US");

function lineOf(outcome: RoundOutcome): string {
  if (outcome.error !== undefined) return `round ${outcome.seed}: FAILED: ${outcome.error}`;
  const { seed, acknowledged, lost, doubled, faults, examples } = outcome;
  const injected = Object.values(faults).reduce((sum, times) => sum + times, 0);
  const line = `round ${seed}: ${injected} faults, ${acknowledged} acknowledged, ${lost} lost, ${doubled} doubled`;
  return [line, ...examples.map((example) => `  ${example}`)].join("\n");
}

function tableOf(outcomes: readonly RoundOutcome[], seconds: number): string {
  const injected: FaultCounts = {};
  const total = { acknowledged: 0, lost: 0, doubled: 0, failed: 0 };
  for (const outcome of outcomes) {
    if (outcome.error !== undefined) {
      total.failed += 1;
      continue;
    }
    addCounts(injected, outcome.faults);
    for (const key of ["acknowledged", "lost", "doubled"] as const) total[key] += outcome[key];
  }
  const table = new Table({ colAligns: ["left", "right"], style: { head: [], border: [], compact: true } });
  for (const fault of [...OUTER_FAULTS, ...WORKER_FAULTS]) table.push([fault, count(injected[fault] ?? 0)]);
  const all = Object.values(injected).reduce((sum, times) => sum + times, 0);
  table.push(["faults injected", count(all)], ["rounds", count(outcomes.length)]);
  if (total.failed > 0) table.push(["rounds not played to the end", count(total.failed)]);
  table.push(["seconds", count(Math.round(seconds))]);
  table.push(["readings acknowledged", count(total.acknowledged)]);
  table.push(["lost", count(total.lost)], ["doubled", count(total.doubled)]);
  return table.toString();
}

const { rounds, seed, servers, keep } = readArguments();
console.log(`${rounds} rounds from seed ${seed}`);
const startedAt = Date.now();
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());
const outcomes = await runRounds({
  rounds,
  seed,
  servers,
  keep,
  signal: stopping.signal,
  onRound: (outcome) => console.log(lineOf(outcome)),
});
console.log(tableOf(outcomes, (Date.now() - startedAt) / 1_000));
const bad = outcomes.filter((outcome) => outcome.error !== undefined || outcome.lost + outcome.doubled > 0);
for (const { seed: one } of bad) console.log(`again: npm run fault -- --rounds 1 --seed ${one}`);
process.exitCode = bad.length > 0 || outcomes.length < rounds ? 1 : 0;
