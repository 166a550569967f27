// `npm run test:shifted`: the object and flow tests with the wall clock at another date, drawn from the list unless said.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { drawDate, type ShiftedDate } from "./dates.ts";
import { shiftedEnvironment } from "./shift-clock.ts";

const USAGE = `npm run test:shifted [-- OPTIONS] [FILES…]
Runs the object and flow tests with the wall clock shifted, for them and for all they start. Needs Linux and a C compiler.

  --to INSTANT     begins at this instant, such as 2027-03-28T00:58Z; without an offset it is UTC
  --days N         begins so many days ahead
  --zone NAME      local times are in this zone, such as Europe/Berlin; UTC unless said
  --whole          runs \`npm test\` as it is, the unit tests too
  FILES…           only these test files
Without --to and --days: a date of test/clock/dates.ts, by chance.`;

const VITEST = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));

function fail(message: string): never {
  console.error(`${message}\n\n${USAGE}`);
  process.exit(2);
}

function parse() {
  try {
    return parseArgs({
      options: {
        to: { type: "string" },
        days: { type: "string" },
        zone: { type: "string" },
        whole: { type: "boolean", default: false },
        help: { type: "boolean", short: "h" },
      },
      allowPositionals: true,
    });
  } catch (error) {
    return fail((error as Error).message);
  }
}

function dateOf(
  { to, days, zone }: { to?: string; days?: string; zone?: string },
  nowMs: number,
): ShiftedDate {
  if (to !== undefined && days !== undefined) fail("--to and --days exclude each other");
  if (to === undefined && days === undefined) {
    const drawn = drawDate(nowMs, Math.random());
    return { ...drawn, timeZone: zone ?? drawn.timeZone };
  }
  const isUtc = to !== undefined && !/(Z|[+-]\d\d:?\d\d)$/.test(to);
  const atMs = to === undefined ? nowMs + Number(days) * 86_400_000 : Date.parse(isUtc ? `${to}Z` : to);
  if (Number.isNaN(atMs)) fail(to === undefined ? `--days ${days} is no number` : `--to ${to} is no instant`);
  return { name: "as asked", atMs, timeZone: zone ?? "UTC" };
}

const { values, positionals: files } = parse();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const { name, atMs, timeZone } = dateOf(values, Date.now());
const at = new Date(atMs).toISOString();
console.log(`the wall clock is shifted to ${at}, local times in ${timeZone} (${name}); again with`);
const again = ["--to", at, "--zone", timeZone, ...(values.whole ? ["--whole"] : []), ...files];
console.log(`  npm run test:shifted -- ${again.join(" ")}`);
const shifted = shiftedEnvironment((atMs - Date.now()) / 1000);
const [command, ...args] = values.whole
  ? ["npm", "test", "--", ...files]
  : [process.execPath, VITEST, "run", "--project", "object", "--project", "flow", ...files];
const tests = spawn(command!, args, {
  stdio: "inherit",
  env: { ...process.env, ...shifted, TZ: timeZone },
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => tests.kill(signal));
tests.on("exit", (code) => process.exit(code ?? 1));
