// What a benchmark found → a table for people, and plain numbers for a file.
import { relative } from "node:path";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { runCommand } from "../../scripts/command/run-command.ts";

export interface Goal {
  what: string;
  /** At least, or at most: the figure of the goal. */
  atLeast?: number;
  atMost?: number;
  measured: number;
}

export interface Section {
  title: string;
  /** What a reader must know to read the table right. */
  notes: string[];
  head: string[];
  rows: string[][];
  goals: Goal[];
  /** The same, unrounded. */
  figures: unknown;
}

export const isMet = ({ atLeast, atMost, measured }: Goal) =>
  (atLeast === undefined || measured >= atLeast) && (atMost === undefined || measured <= atMost);

export function showSection({ title, notes, head, rows, goals }: Section): string {
  const table = new Table({
    head,
    colAligns: ["left", ...head.slice(1).map(() => "right" as const)],
    style: { head: [], border: [], compact: true },
  });
  table.push(...rows);
  const lines = goals.map((goal) => {
    const bound = goal.atLeast === undefined ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`;
    return `  ${isMet(goal) ? "met   " : "missed"}  ${goal.what}: ${threeDigits(goal.measured)} (goal ${bound})`;
  });
  return [title, ...notes.map((note) => `  ${note}`), table.toString(), ...lines].join("\n");
}

export const count = (value: number) => Math.round(value).toLocaleString("en-US");
export const ratio = (value: number) => `${value.toFixed(2)} ×`;
export const milliseconds = (value: number | undefined) =>
  value === undefined ? "" : value.toFixed(value < 10 ? 2 : 1);
export const micros = (value: number | undefined) => (value === undefined ? "" : count(value));
export const threeDigits = (value: number) => String(Number(value.toPrecision(3)));

const OPTIONS = {
  quick: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** A benchmark run by itself: `node bench/<name>.ts [--quick]`. */
export function runAlone(bench: (quick: boolean) => Promise<Section[]>): void {
  const usage = `usage: node ${relative("", process.argv[1]!)} [--quick]\n  --quick  rough figures, sooner`;
  runCommand(usage, async () => {
    const { values } = parseArgs({ options: OPTIONS });
    if (values.help) console.log(usage);
    else for (const section of await bench(values.quick)) console.log(`\n${showSection(section)}`);
    return 0;
  });
}
