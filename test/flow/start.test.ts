// npm start as its user runs it: what it says, what it refuses, and how a second one meets the first.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type LocalRun, startLocal } from "../../scripts/local-run.ts";
import { readRunning, runningUrl } from "../../scripts/running.ts";
import { runScript } from "./run-script.ts";

let folder = "";
const started: ChildProcess[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-start-"));
});
afterAll(async () => {
  await Promise.all(started.map(ended));
  await rm(folder, { recursive: true, force: true });
});

/** Starts and resolves with what it said when it is ready. */
async function start(state: string, ...options: string[]): Promise<{ child: ChildProcess; said: string }> {
  const args = ["scripts/start.ts", "--port", "0", "--state", state, "--no-demo", ...options];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  started.push(child);
  let said = "";
  child.stdout!.on("data", (chunk) => {
    said += chunk;
  });
  while (!said.includes("device token")) {
    if (child.exitCode !== null) throw new Error(`it ended:\n${said}`);
    await sleep(50);
  }
  return { child, said };
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const closed = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await closed;
  }
  return child.exitCode;
}

it("[S26] npm start says each step; a second one on its state is refused by name, and with --replace takes its place", async () => {
  const state = join(folder, "state");
  const first = await start(state);
  const steps = [
    "taking the state folder",
    "building",
    "bundling",
    "starting workerd",
    "migrating CONTROL",
    "ready",
  ];
  expect(steps.map((step) => first.said.indexOf(step))).toEqual(
    steps.map((step) => first.said.indexOf(step)).toSorted((a, b) => a - b),
  );
  expect(steps.filter((step) => !first.said.includes(step))).toEqual([]);
  const url = (await runningUrl(state))!;
  expect((await fetch(`${url}/healthz`)).status).toBe(200);

  const refused = await runScript("start.ts", ["--state", state, "--port", "0"]);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      new RegExp(`${state} already: pid ${first.child.pid}, ${url}, since .*--replace`),
    ),
  });
  expect(refused.stdout).not.toContain("building");
  const port = await runScript("start.ts", ["--state", join(folder, "other"), "--port", new URL(url).port]);
  expect(port).toMatchObject({ code: 1, stderr: expect.stringContaining("is in use by") });

  const second = await start(state, "--replace");
  expect(second.said).toContain(`ended the earlier run on ${state} (pid ${first.child.pid}`);
  expect((await readRunning(state))!.pids[0]).toBe(second.child.pid);
  expect(await ended(second.child)).toBe(0);
  expect(await readRunning(state)).toBeUndefined();
}, 240_000);

it("[S27] what cannot be started is an error before anything is built; a mistyped command line shows the usage", async () => {
  for (const args of [["--prot", "1"], ["8080"], ["--port", "abc"]]) {
    const { code, stdout, stderr } = await runScript("start.ts", args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/usage: npm start/);
  }
  const { code, stdout, stderr } = await runScript("start.ts", ["--state", join(import.meta.filename, "x")]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/start\.test\.ts\/x cannot be written: a part of the path is a file/);
  expect(stdout).not.toContain("building");
}, 60_000);

it("[S49] what a run was at when it was killed, the next one on its state takes up at once", async () => {
  const state = join(folder, "killed");
  const begin = () => startLocal({ port: 0, state, split: false, tenant: "demo", quiet: true });
  const control = (run: LocalRun) => run.miniflare.getD1Database("CONTROL", run.objectsWorker);
  const first = await begin();
  await first.tick();
  const leasedUntil = Date.now() + 5 * 60_000; // as a turn has it that ends in the middle
  await (await control(first))
    .prepare("UPDATE chore SET due_at = 0, leased_until = ?")
    .bind(leasedUntil)
    .run();
  await first.stop();
  const second = await begin();
  try {
    await second.tick();
    const { results } = await (await control(second)).prepare("SELECT name, due_at FROM chore").all();
    expect(results.map(({ name }) => name)).toContain("jobs");
    expect(results.filter(({ due_at }) => due_at === 0)).toEqual([]);
  } finally {
    await second.stop();
  }
}, 120_000);
