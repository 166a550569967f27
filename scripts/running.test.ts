import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { isSameSince } from "./processes.ts";
import { claimState, forgetRunning, noteRunning, readRunning, runningUrl } from "./running.ts";

/** Debian's and most others' user who owns nothing. */
const NOBODY = 65_534;

let state = "";
const children: ChildProcess[] = [];
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), "telltale-running-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(state, { recursive: true, force: true });
});

/** A process that does nothing until it is killed. */
async function other(): Promise<number> {
  const child = spawn(process.execPath, ["-e", "console.log('up'); setInterval(() => {}, 1e6)"]);
  children.push(child);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child.pid!;
}

/** Resolves when the process is dead. */
async function killed(pid: number): Promise<void> {
  const child = children.find((each) => each.pid === pid)!;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}

const note = (pids: number[], startedAt: number) =>
  writeFile(join(state, "telltale-running.json"), JSON.stringify({ pids, url: "http://there", startedAt }));

it("[S26] what runs on a state is noted with its url, and is no longer known when it is dead or has forgotten", async () => {
  expect(await runningUrl(state)).toBeUndefined();
  await noteRunning(join(state, "sub"), "http://here");
  expect(await readRunning(join(state, "sub"))).toMatchObject({ url: "http://here" });
  expect((await readRunning(join(state, "sub")))!.pids[0]).toBe(process.pid);
  await forgetRunning(join(state, "sub"));
  expect(await runningUrl(join(state, "sub"))).toBeUndefined();

  const pid = await other();
  await note([pid], Date.now());
  expect(await runningUrl(state)).toBe("http://there");
  await forgetRunning(state); // another's
  expect(await runningUrl(state)).toBe("http://there");
  await killed(pid);
  expect(await runningUrl(state)).toBeUndefined();
});

it("[S26] a state in use is not taken, and who has it is named", async () => {
  const pid = await other();
  await note([pid], Date.now());
  expect(await claimState(state)).toMatchObject({ inUse: { pids: [pid], url: "http://there" } });
  await killed(pid);
  expect(await claimState(state)).toEqual({ ended: [] });
  expect(await claimState(state)).toMatchObject({ inUse: { pids: [process.pid], url: "" } });
});

it("[S26] a pid that another program has by now holds no state, and is left alone", async () => {
  const pid = await other();
  await note([pid], Date.now() - 3_600_000);
  expect(await readRunning(state)).toBeUndefined();
  expect(await claimState(state)).toEqual({ ended: [] });
  expect(isSameSince(pid, Date.now())).toBe(true);
});

it("[S26] a note that its writer was killed at is replaced", async () => {
  await writeFile(join(state, "telltale-running.json"), '{"pids":[1');
  expect(await claimState(state)).toEqual({ ended: [] });
});

it("[S26] of several that start at the same instant one has the state, whether a note was left there or not", async () => {
  const url = new URL("./running.ts", import.meta.url).href;
  const script = `
    const { claimState } = await import(${JSON.stringify(url)});
    console.log("up");
    await new Promise((resolve) => process.stdin.once("data", resolve));
    console.log("ended" in (await claimState(${JSON.stringify(state)})) ? "taken" : "in use");
    setInterval(() => {}, 1e6);`;
  await note([2 ** 22 - 1], 0);
  const starts = Array.from({ length: 3 }, () => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
    children.push(child);
    return child;
  });
  const next = (child: (typeof starts)[number]) =>
    new Promise<string>((resolve, reject) => {
      child.stdout.once("data", (data) => resolve(String(data).trim()));
      child.once("exit", () => reject(new Error("it ended")));
    });
  await Promise.all(starts.map(next));
  const answers = starts.map(next);
  for (const child of starts) child.stdin.write("go\n");
  expect((await Promise.all(answers)).sort()).toEqual(["in use", "in use", "taken"]);
  expect(await readdir(state)).toEqual(["telltale-running.json"]);
});

it("[S27] a state that is a file, or lies under one, is an error that names it and the remedy", async () => {
  const file = join(state, "file");
  await writeFile(file, "");
  await expect(claimState(file)).rejects.toThrow(
    `${file} cannot be written: it is a file; choose another with --state DIR`,
  );
  await expect(claimState(join(file, "sub"))).rejects.toThrow("a part of the path is a file");
  expect(await readFile(file, "utf8")).toBe("");
});

it("[S27] a state that this user may not write is an error", async () => {
  const closed = join(state, "closed");
  await mkdir(closed, { mode: 0o500 });
  const isRoot = process.getuid?.() === 0; // who may write anywhere: somebody else tries
  await chmod(state, 0o755);
  if (isRoot) process.seteuid?.(NOBODY);
  try {
    await expect(claimState(closed)).rejects.toThrow("this user may not write there");
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});
