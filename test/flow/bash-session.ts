// Blocks of commands → one bash in a copy of the repository, as in a reader's terminal: variables stay from block to block.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The tracked and new files of the repository in a folder of its own, as after `npm ci`; the caller removes it. */
export function copyRepository(): string {
  const copy = mkdtempSync(join(tmpdir(), "telltale-copy-"));
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  for (const file of listed.split("\0").filter(Boolean)) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(ROOT, file), join(copy, file));
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  return copy;
}

/** The first program of a name on the PATH. */
export const programAt = (name: string) =>
  execFileSync("sh", ["-c", 'command -v "$0"', name], { encoding: "utf8" }).trim();

/** Environment of a reader's terminal: without what this test run has set for itself. */
export function readersEnvironment(): NodeJS.ProcessEnv {
  const {
    WRANGLER_LOG: _,
    TOKEN_SECRET: __,
    NODE_OPTIONS: ___,
    NODE_ENV: ____,
    ...environment
  } = process.env;
  return environment;
}

/** Ends a process that leads a group, and all that it started. */
export async function endGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  process.kill(-child.pid, "SIGTERM");
  await ended;
}

export class BashSession {
  readonly #bash: ChildProcess;
  readonly #shims: string;
  #output = "";
  #blocks = 0;
  #changed: () => void = () => undefined;

  /** `shims`: scripts that stand in for programs, by name. A block ends at the first command that fails. */
  constructor(folder: string, shims: Record<string, string>) {
    this.#shims = mkdtempSync(join(tmpdir(), "telltale-shims-"));
    for (const [name, script] of Object.entries(shims)) {
      writeFileSync(join(this.#shims, name), script);
      chmodSync(join(this.#shims, name), 0o755);
    }
    const environment = readersEnvironment();
    this.#bash = spawn("bash", ["--noprofile", "--norc"], {
      cwd: folder,
      detached: true,
      env: { ...environment, PATH: `${this.#shims}:${environment.PATH}` },
    });
    this.#bash.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.#output += text;
      this.#changed();
    });
    // What it printed last may still be on its way.
    this.#bash.on("exit", () => setTimeout(() => this.#changed(), 500));
    this.#bash.stdin!.write("exec 2>&1\nset -e\n");
  }

  /** All that was printed so far, by what goes on in the background too. */
  get output(): string {
    return this.#output;
  }

  /** What the commands print. @throws with it, when one of them fails. */
  async run(text: string): Promise<string> {
    const name = join(this.#shims, `block-${++this.#blocks}.sh`);
    writeFileSync(name, text);
    const start = this.#output.length;
    const end = `--- end of block ${this.#blocks} ---`;
    // A file, so that a command that reads its input does not read the commands after it.
    this.#bash.stdin!.write(`. ${name} </dev/null\necho; echo '${end}'\n`);
    return await new Promise((resolve, reject) => {
      this.#changed = () => {
        const printed = this.#output.slice(start);
        if (printed.includes(end)) resolve(printed.slice(0, printed.indexOf(end)));
        else if (this.#bash.exitCode !== null) reject(new Error(`${text}\nfailed:\n${printed}`));
      };
      this.#changed();
    });
  }

  async close(): Promise<void> {
    await endGroup(this.#bash);
    rmSync(this.#shims, { recursive: true });
  }
}
