import { env } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { PROMPT } from "../crons.ts";
import type { AggregateEnv } from "../env.ts";
import worker from "../worker.ts";
import { type Chore, runChores, type Turn } from "./chores.ts";

const aggregateEnv = env as unknown as AggregateEnv;
const MINUTE_MS = 60_000;

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A chore that notes the cursors it was given and gives back the next of `cursors`, "" at the end. */
function noted(name: string, cursors: string[] = []): Chore & { given: string[] } {
  const given: string[] = [];
  const run = async ({ cursor }: Turn) => {
    given.push(cursor);
    return cursors.shift() ?? "";
  };
  return { name, everyMs: 10 * MINUTE_MS, run, given };
}

it("[S19] a chore has a turn when it is due, and at once again while something is left, from where it stopped", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const chore = noted("going-on", ["a", "b"]);
  for (let tick = 0; tick < 5; tick++) {
    await runChores(aggregateEnv, [chore]);
    vi.setSystemTime(Date.now() + MINUTE_MS);
  }
  expect(chore.given).toEqual(["", "a", "b"]);
  vi.setSystemTime(Date.now() + 10 * MINUTE_MS);
  await runChores(aggregateEnv, [chore]);
  expect(chore.given).toEqual(["", "a", "b", ""]);
});

it("[S19] a chore may be had whenever it had its last turn", async () => {
  const chore = noted("hasty");
  for (let tick = 0; tick < 3; tick++) await runChores(aggregateEnv, [chore], { areDue: true });
  expect(chore.given).toEqual(["", "", ""]);
});

it("[S25] a local run that has nothing to do at once writes nothing, and does at once what there is", async () => {
  const local = { ...aggregateEnv, CHORES: "prompt" };
  const prompt = () => worker.scheduled({ cron: PROMPT } as ScheduledController, local);
  const turnsOf = async () =>
    (await env.CONTROL.prepare("SELECT name FROM chore WHERE name IN ('zone-hours', 'jobs')").all()).results;
  await prompt();
  expect(await turnsOf()).toEqual([]);
  await env.WARM_0.prepare(
    "INSERT INTO dirty_hour (tenant, zone, hour_ms, taken_by) VALUES ('prompt', 'z', 0, 0)",
  ).run();
  await prompt();
  expect(await turnsOf()).toEqual([{ name: "jobs" }, { name: "zone-hours" }]);
  await env.WARM_0.prepare(
    "INSERT INTO dirty_hour (tenant, zone, hour_ms, taken_by) VALUES ('prompt', 'z', 0, 0)",
  ).run();
  await prompt(); // not a quarter of an hour later
  expect(await env.WARM_0.prepare("SELECT 1 FROM dirty_hour").first()).toBeNull();
});

it("[S19] two ticks at once give a chore one turn", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let turns = 0;
  const run = async () => {
    turns += 1;
    await held;
    return "";
  };
  const chore = { name: "long", everyMs: 0, run };
  const first = runChores(aggregateEnv, [chore]);
  await vi.waitUntil(() => turns === 1);
  await runChores(aggregateEnv, [chore]);
  release();
  await first;
  expect(turns).toBe(1);
});

it("[S19] a chore that fails is logged, costs the others nothing, and goes on at the next tick where it was", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const failing = noted("failing", ["half", "FAIL", "done"]);
  const run = async (turn: Turn) => {
    const next = await failing.run(turn);
    if (next === "FAIL") throw new Error("storage is away");
    return next;
  };
  const other = noted("other");
  for (let tick = 0; tick < 3; tick++) {
    await runChores(aggregateEnv, [{ ...failing, run }, other], { areDue: true });
  }
  expect(failing.given).toEqual(["", "half", "half"]);
  expect(other.given).toHaveLength(3);
  expect(logged).toHaveBeenCalledOnce();
});

it("[S19] a runner that died is replaced after its lease, and changes nothing when it comes back", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  let comeBack = (_cursor: string) => {};
  const gone = new Promise<string>((resolve) => {
    comeBack = resolve;
  });
  const dead = runChores(aggregateEnv, [{ name: "lease", everyMs: 0, run: () => gone }]);
  const isTaken = async () =>
    (await env.CONTROL.prepare("SELECT leased_until FROM chore WHERE name = 'lease'").first<number>(
      "leased_until",
    )) ?? 0;
  await vi.waitUntil(async () => (await isTaken()) > 0);
  vi.setSystemTime(Date.now() + 6 * MINUTE_MS);
  const next = noted("lease", ["further"]);
  await runChores(aggregateEnv, [next]);
  comeBack("stale");
  await dead;
  await runChores(aggregateEnv, [next]);
  expect(next.given).toEqual(["", "further"]);
});
