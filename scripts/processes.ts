// The table of this machine's processes, read from /proc or by `ps`: who is alive, since when, whose child, with which command.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

const HAS_PROC = existsSync("/proc/self/stat");
/** Linux counts a process's begin in hundredths of a second since the machine's (proc_pid_stat(5)). */
const PROC_TICK_MS = 10;
/** Both ways of asking know the begin to a second. */
const BEGIN_SLACK_MS = 2_000;

/** Whether the process that had this pid at `atMs` still lives; false when another program has the pid by now. */
export function isSameSince(pid: number, atMs: number): boolean {
  const known = processOf(pid);
  return known !== undefined && known.beganAt <= atMs + BEGIN_SLACK_MS;
}

/** The command line of a process, "" when there is none. */
export const commandOf = (pid: number): string =>
  HAS_PROC ? read(`/proc/${pid}/cmdline`).replaceAll("\0", " ") : ps(["-p", String(pid), "-o", "command="]);

/** The pids of the living children of a process. */
export const childrenOf = (parent: number): number[] =>
  allPids().filter((pid) => processOf(pid)?.parent === parent);

/** How many bytes of memory a process has, as Linux says (VmRSS); undefined: not known. */
export function residentBytesOf(pid: number): number | undefined {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

/** The pids of all processes. */
export function allPids(): number[] {
  const names = HAS_PROC ? readdirSync("/proc") : ps(["-A", "-o", "pid="]).split("\n");
  return names.map(Number).filter((pid) => pid > 0);
}

/** A living process; undefined also for one that has ended and is not yet waited for (state `Z`). */
function processOf(pid: number): { parent: number; beganAt: number } | undefined {
  const [state, parent, beganAt] = HAS_PROC ? procOf(pid) : psOf(pid);
  if (state === undefined || state === "" || state.startsWith("Z")) return undefined;
  return { parent: Number(parent), beganAt: Number(beganAt) };
}

function procOf(pid: number): [state?: string, parent?: string, beganAt?: number] {
  const fields = read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, "")
    .split(" ");
  // By its age, for the wall clock may have been set since the machine began.
  const uptimeMs = Number.parseFloat(read("/proc/uptime")) * 1_000;
  return [fields[0]!, fields[1], Date.now() - (uptimeMs - Number(fields[19]) * PROC_TICK_MS)];
}

function psOf(pid: number): [state?: string, parent?: string, beganAt?: number] {
  const [state, parent, ...began] = ps(["-p", String(pid), "-o", "state=,ppid=,lstart="])
    .trim()
    .split(/\s+/);
  return [state, parent, Date.parse(began.join(" "))];
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
    return execFileSync("ps", args, { encoding: "utf8", env: { ...process.env, LC_ALL: "C" } });
  } catch {
    return "";
  }
}
