// npm run bench: every benchmark in one run, each figure beside its limit or peer.
//   node bench/all.ts [--quick] [--json [FILE]]
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runCommand } from "../scripts/command/run-command.ts";
import { slugOf, thisMachine } from "./run/machine.ts";
import { type Section, showSection } from "./run/section.ts";

const USAGE = `usage: npm run bench -- [--quick] [--json FILE]
  --quick      a minute instead of four
  --json FILE  writes the figures too; FILE "-" stands for bench/results/<date>-<machine>.json
  One benchmark alone: node bench/http.ts, sockets.ts, rows.ts or bytes.ts.`;

const OPTIONS = {
  quick: { type: "boolean", default: false },
  json: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const machine = thisMachine();
  const startedAt = new Date();
  console.log(
    `Telltale's benchmarks, ${startedAt.toISOString()}${values.quick ? ", quick: figures are rough" : ""}`,
  );
  console.log(
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.platform}, Node ${machine.node}`,
  );
  console.log(`${machine.runner}; the load comes from this process`);

  const sections: Section[] = [];
  // What they start takes a second or more to load: a usage is not to wait for it.
  const { benchBytes } = await import("./bytes.ts");
  const { benchHttp } = await import("./http.ts");
  const { benchSockets } = await import("./sockets.ts");
  const { benchRows } = await import("./rows.ts");
  for (const bench of [benchBytes, benchHttp, benchSockets, benchRows]) {
    for (const section of await bench(values.quick)) {
      console.log(`\n${showSection(section)}`);
      sections.push(section);
    }
  }
  console.log(`\n${((Date.now() - startedAt.getTime()) / 1000).toFixed(0)} s`);

  if (values.json !== undefined) {
    const date = startedAt.toISOString().slice(0, 10);
    const file =
      values.json === "-"
        ? fileURLToPath(new URL(`results/${date}-${slugOf(machine)}.json`, import.meta.url))
        : values.json;
    const results = sections.map(({ title, notes, goals, figures }) => ({ title, notes, goals, figures }));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(
      file,
      `${JSON.stringify({ startedAt, quick: values.quick, machine, results }, null, 2)}\n`,
    );
    console.log(`written to ${file}`);
  }
  return 0;
}

runCommand(USAGE, main);
