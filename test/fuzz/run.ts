// npm run fuzz: bodies and frames that are nearly right, at every door, and a table of what was taken, refused and wrong.
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { runCommand, UsageError } from "../../scripts/command/run-command.ts";
import { DOORS } from "./doors.ts";
import { fuzz, growthOf } from "./fuzz.ts";

const USAGE = `usage: npm run -s fuzz -- [--bodies 10000] [--seed N]
  --bodies N   how many bodies or frames a door (default 10000)
  --seed N     the same makes the same bodies (default: chosen by chance, and printed)`;
const OPTIONS = {
  bodies: { type: "string" },
  seed: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;
/** Times as long for sixteen times as much, from which on it is no longer linear. */
const GROWTH_MAX = 100;
const HEAP_GROWTH_MB_MAX = 200;

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
  console.log(`${count} bodies at each of ${DOORS.length} doors, seed ${seed}`);
  const table = new Table({
    head: ["door", "bodies", "taken", "refused", "wrong", "16 × as large takes", "heap"],
  });
  let wrong = 0;
  for (const door of DOORS) {
    const before = process.memoryUsage().heapUsed;
    const found = await fuzz(door, count, seed);
    const growth = await growthOf(door);
    const heapMb = Math.round((process.memoryUsage().heapUsed - before) / 1e6);
    const isOdd = growth > GROWTH_MAX || heapMb > HEAP_GROWTH_MB_MAX;
    wrong += found.wrong.length + (isOdd ? 1 : 0);
    const { bodies, taken } = found;
    table.push([
      door.name,
      bodies,
      taken,
      bodies - taken,
      found.wrong.length,
      `${growth.toFixed(1)} ×`,
      `${heapMb} MB`,
    ]);
    for (const { body, why } of found.wrong)
      console.log(`${door.name}: ${why}: ${JSON.stringify(body.slice(0, 300))}`);
  }
  console.log(table.toString());
  return wrong > 0 ? 1 : 0;
});
