// Notes which processes run on a state folder, so that a start after `kill -9` finds no orphan on its port and files.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const noteIn = (state: string) => join(state, "telltale-running.json");

/** Notes this process and its children (workerd) as the ones that run on `state`. */
export async function noteRunning(state: string): Promise<void> {
  await mkdir(state, { recursive: true });
  await writeFile(noteIn(state), JSON.stringify({ pids: [process.pid, ...(await childrenOf(process.pid))] }));
}

export const forgetRunning = (state: string) => rm(noteIn(state), { force: true });

/**
 * Ends what an earlier run left on `state`: asked first, killed after 5 s. A pid that now belongs to another program
 * is left alone. Gives the pids ended.
 */
export async function endEarlierRun(state: string): Promise<number[]> {
  const note = await readFile(noteIn(state), "utf8").catch(() => undefined);
  if (note === undefined) return [];
  const { pids } = JSON.parse(note) as { pids: number[] };
  const ours = pids.filter((pid) => pid !== process.pid && /workerd|scripts\/start\.ts/.test(commandOf(pid)));
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    for (const pid of ours) if (isAlive(pid)) process.kill(pid, signal);
    for (let waited = 0; waited < 5_000 && ours.some(isAlive); waited += 50) await sleep(50);
  }
  await forgetRunning(state);
  return ours;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return stateOf(pid)?.state !== "Z";
  } catch {
    return false;
  }
}

const HAS_PROC = existsSync("/proc/self/stat");

/** What the process table says of a process: `Z` is one that has ended and is not yet waited for. */
function stateOf(pid: number): { state: string; parent: number } | undefined {
  const text = HAS_PROC
    ? read(`/proc/${pid}/stat`).replace(/^.*\) /s, "")
    : ps(["-p", String(pid), "-o", "state=,ppid="]).trim();
  const [state, parent] = text.split(/\s+/);
  return state === undefined || state === "" ? undefined : { state: state[0]!, parent: Number(parent) };
}

const commandOf = (pid: number) =>
  HAS_PROC ? read(`/proc/${pid}/cmdline`).replaceAll("\0", " ") : ps(["-p", String(pid), "-o", "command="]);

async function childrenOf(parent: number): Promise<number[]> {
  const pids = HAS_PROC
    ? (await readdir("/proc")).map(Number)
    : ps(["-A", "-o", "pid="]).split("\n").map(Number);
  return pids.filter((pid) => pid > 0 && stateOf(pid)?.parent === parent);
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function ps(args: string[]): string {
  try {
    return execFileSync("ps", args, { encoding: "utf8" });
  } catch {
    return "";
  }
}
