// Seconds → the environment under which a process and all its children read the time that many seconds later.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, renameSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("./shift.c", import.meta.url));
const FOLDER = fileURLToPath(new URL("../../dist/", import.meta.url));
const LIBRARY = `${FOLDER}clock-shift.so`;

/** Whether this machine has what it takes: Linux and a C compiler. */
export const canShift = () => process.platform === "linux" && spawnSync("cc", ["--version"]).status === 0;

/** Compiles shift.c; throws with the remedy where there is no compiler, or a system that loads libraries otherwise. */
export function shiftedEnvironment(shiftSeconds: number): Record<string, string> {
  if (process.platform !== "linux")
    throw new Error(`the clock is shifted with LD_PRELOAD, which ${process.platform} has not: use Linux`);
  mkdirSync(FOLDER, { recursive: true });
  // Under another name first: whoever starts meanwhile finds the library whole, or would run unshifted.
  const own = `${LIBRARY}.${process.pid}`;
  try {
    execFileSync("cc", ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o", own, SOURCE]);
    renameSync(own, LIBRARY);
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
    throw new Error("there is no C compiler `cc`; on Debian and Ubuntu: apt-get install gcc libc6-dev");
  }
  return { LD_PRELOAD: LIBRARY, CLOCK_SHIFT_SECONDS: String(Math.round(shiftSeconds)) };
}
