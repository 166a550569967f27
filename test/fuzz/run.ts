// npm run fuzz: bodies and frames that are nearly right, at every door, and a table of what was taken, refused and wrong.
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { runCommand, UsageError } from "../../scripts/command/run-command.ts";
import { startLocal } from "../../scripts/local-run.ts";
import { DOORS } from "./doors.ts";
import { fuzz, growthOf } from "./fuzz.ts";
import { type HttpDoors, openDoors } from "./http-doors.ts";

const USAGE = `usage: npm run -s fuzz -- [--http] [--bodies 10000] [--seed N]
  --http       at the doors of a server that it starts, by HTTP and WebSocket, instead of in this process
  --bodies N   how many bodies or frames a door (default 10000)
  --seed N     the same makes the same bodies (default: chosen by chance, and printed)`;
const OPTIONS = {
  http: { type: "boolean", default: false },
  bodies: { type: "string" },
  seed: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;
/** Times as long for sixteen times as much, from which on it is no longer linear. */
const GROWTH_MAX = 100;
/** How much more memory a door may leave in use; a local server tidies up when it likes. */
const MEMORY_GROWTH_MB_MAX = { here: 200, http: 1_000 };

runCommand(USAGE, async () => {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const numberOf = (name: "bodies" | "seed", otherwise: number) => {
    const value = Number(values[name] ?? otherwise);
    if (!Number.isSafeInteger(value) || value < 1)
      throw new UsageError(`--${name} ${values[name]}: a number from 1`);
    return value;
  };
  const count = numberOf("bodies", 10_000);
  const seed = numberOf("seed", Math.ceil(Math.random() * 1e9));
  if (!values.http) return await fuzzAll(HERE, count, seed, MEMORY_GROWTH_MB_MAX.here);
  const run = await startLocal({ port: 0, state: undefined, split: false, tenant: "fuzz", quiet: true });
  try {
    const opened = await openDoors(run);
    return await fuzzAll(opened, count, seed, MEMORY_GROWTH_MB_MAX.http).finally(opened.close);
  } finally {
    await run.stop();
  }
});

const HERE: Omit<HttpDoors, "close"> = {
  doors: DOORS,
  memoryBytes: () => process.memoryUsage().heapUsed,
};

/** Tries all the doors, and shows what came of it. Returns the command's exit code: 1 when anything is wrong. */
async function fuzzAll(
  { doors, memoryBytes }: Omit<HttpDoors, "close">,
  count: number,
  seed: number,
  memoryGrowthMbMax: number,
): Promise<number> {
  console.log(`${count} bodies at each of ${doors.length} doors, seed ${seed}`);
  const table = new Table({
    head: ["door", "bodies", "taken", "refused", "wrong", "16 × as large takes", "memory", "more"],
  });
  let wrong = 0;
  for (const door of doors) {
    const before = memoryBytes();
    const found = await fuzz(door, count, seed);
    const growth = await growthOf(door);
    const after = memoryBytes();
    const [mb, moreMb] = [after ?? 0, (after ?? 0) - (before ?? 0)].map((bytes) => Math.round(bytes / 1e6));
    const isOdd = growth > GROWTH_MAX || moreMb! > memoryGrowthMbMax;
    wrong += found.wrong.length + (isOdd ? 1 : 0);
    const { bodies, taken } = found;
    table.push([
      door.name,
      bodies,
      taken,
      bodies - taken,
      found.wrong.length,
      `${growth.toFixed(1)} ×`,
      `${mb} MB`,
      `${moreMb} MB`,
    ]);
    for (const { body, why } of found.wrong)
      console.log(`${door.name}: ${why}: ${JSON.stringify(body.slice(0, 300))}`);
  }
  console.log(table.toString());
  return wrong > 0 ? 1 : 0;
}
