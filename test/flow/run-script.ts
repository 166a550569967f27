// A command of the repository as its user runs it: a process of its own.
import { type ChildProcess, execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `node scripts/<name> …args`; resolves when it ends. */
export const runScript = (name: string, args: readonly string[]): Promise<Ended> =>
  runFile(`scripts/${name}`, args);

/** Runs `node <file> …args` in the repository. `onStart` is given the process. */
export function runFile(
  file: string,
  args: readonly string[],
  onStart: (process: ChildProcess) => void = () => {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const started = execFile(
      process.execPath,
      [file, ...args],
      { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
    onStart(started);
  });
}
