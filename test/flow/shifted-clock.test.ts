// The wall clock of the tests, shifted: Node, the runtime and the browser all have it, and so agree on tokens and ranges.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { findChromium } from "../browser/find-chromium.ts";
import { canShift, shiftedEnvironment } from "../clock/shift-clock.ts";

const run = promisify(execFile);
const SHOW_DATES = fileURLToPath(new URL("../clock/show-dates.ts", import.meta.url));
const PAGE = "data:text/html,<body><script>document.body.textContent='('+Date.now()+')'</script>";
const CHROMIUM = [
  "--headless=new",
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
];
const DAY_MS = 86_400_000;

/** Ahead of the clock as it is, which may itself be shifted. */
const own = Number(process.env.CLOCK_SHIFT_SECONDS ?? 0);
const env = (days: number) => ({ ...process.env, ...shiftedEnvironment(own + days * 86_400) });
const mustAwaitRetention = (ms: number, days: number) =>
  Math.abs(ms - Date.now() - days * DAY_MS) < DAY_MS / 2;

it.skipIf(!canShift())("[X7] shifted by 400 days, Node and the runtime are 400 days ahead", async () => {
  const { stdout } = await run(process.execPath, [SHOW_DATES], { env: env(400) });
  const { node, workerd } = JSON.parse(stdout) as { node: number; workerd: number };
  expect([mustAwaitRetention(node, 400), mustAwaitRetention(workerd, 400)]).toEqual([true, true]);
});

it.skipIf(!canShift() || findChromium() === undefined)("[X7] so is the browser", async () => {
  const args = [...CHROMIUM, "--dump-dom", PAGE];
  const { stdout } = await run(findChromium()!, args, { env: env(400) });
  expect(mustAwaitRetention(Number(/\((\d+)\)/.exec(stdout)![1]), 400)).toBe(true);
});
