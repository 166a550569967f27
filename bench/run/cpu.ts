// CPU time of the workerd processes this process started, where the kernel tells it (/proc); elsewhere nothing.
import { readdirSync, readFileSync } from "node:fs";

/** `utime` and `stime` count in hundredths of a second on every Linux there is (USER_HZ). */
const TICK_MS = 10;

/** The pids of the workerds that `start` started. */
export async function startedBy<T>(start: () => Promise<T>): Promise<{ started: T; pids: number[] }> {
  const before = new Set(workerds());
  const started = await start();
  return { started, pids: workerds().filter((pid) => !before.has(pid)) };
}

/** CPU ms these processes took so far, all threads; undefined where nothing tells. */
export function cpuMs(pids: readonly number[]): number | undefined {
  if (pids.length === 0) return undefined;
  let ticks = 0;
  for (const pid of pids) {
    const fields = statOf(pid);
    if (fields === undefined) return undefined;
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * TICK_MS;
}

function workerds(): number[] {
  let names: string[];
  try {
    names = readdirSync("/proc");
  } catch {
    return [];
  }
  return names.map(Number).filter((pid) => {
    if (!(pid > 0) || Number(statOf(pid)?.[1]) !== process.pid) return false;
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("workerd");
  });
}

/** What /proc/pid/stat says after the program's name: state, parent, … */
function statOf(pid: number): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
  } catch {
    return undefined;
  }
}
