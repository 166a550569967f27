// A server for fault tests as a process of its own: started, killed hard with or without its runtime, started again.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const START_MS_MAX = 60_000;
const ORDER_MS_MAX = 2_000;

/** `npm start` without the demo. */
const NPM_START = ["../../scripts/start.ts", "--no-demo"];

interface Answer {
  id: number;
  error?: string;
}

export class ServerProcess {
  readonly url: string;
  /** What it signs with from its next start on, and what it takes beside; none: as the script has it. */
  secrets: readonly string[] = [];
  readonly #port: number;
  readonly #state: string;
  readonly #command: string[];
  readonly #asked = new Map<number, (answer: Answer) => void>();
  #child: ChildProcess | undefined;
  #isReady = false;
  /** Runtimes of servers that were killed without them. */
  #orphans: number[] = [];
  #orders = 0;

  /** @param command a script, relative to this file, and its arguments. */
  constructor(port: number, state: string, command = NPM_START) {
    this.#port = port;
    this.#state = state;
    this.#command = command;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const [script, ...options] = this.#command;
    const path = fileURLToPath(new URL(script!, import.meta.url));
    const child = spawn(
      process.execPath,
      [
        ...[path, "--port", String(this.#port), "--state", this.#state, ...options],
        ...this.secrets.flatMap((secret) => ["--secret", secret]),
      ],
      { stdio: ["ignore", "pipe", "pipe", "ipc"] },
    );
    this.#child = child;
    let output = "";
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on("data", (chunk) => {
        output = (output + chunk).slice(-4_000);
      });
    }
    this.#isReady = false;
    child.on("message", (answer: Answer) => {
      if (answer.id === 0) this.#isReady = true;
      else this.#asked.get(answer.id)?.(answer);
    });
    child.on("exit", () => {
      for (const answered of this.#asked.values()) answered({ id: -1, error: "it ended" });
    });
    for (const deadline = Date.now() + START_MS_MAX; !this.#isReady; await sleep(20)) {
      this.#isReady ||= output.includes("dashboard");
      if (hasEnded(child) || Date.now() > deadline) throw new Error(`the server did not start:\n${output}`);
    }
  }

  /** Asks the process itself; false when it could not do it, took too long, or ended meanwhile. */
  async order(order: object, withinMs = ORDER_MS_MAX): Promise<boolean> {
    const child = this.#child;
    if (!this.#isReady || child?.connected !== true) return false;
    const id = ++this.#orders;
    const answered = new Promise<Answer>((resolve) => {
      this.#asked.set(id, resolve);
      child.send({ id, ...order }, (error) => error && resolve({ id, error: error.message }));
    });
    const tooLong = sleep(withinMs, { id, error: "it took too long" }, { ref: false });
    const { error } = await Promise.race([answered, tooLong]);
    this.#asked.delete(id);
    return error === undefined;
  }

  /** SIGKILL to the process and its runtime, at once or the one before the other; resolves when both are dead. */
  async kill({ runtimeAfterMs = 0, runtimeFirst = false } = {}): Promise<void> {
    const child = this.#child!;
    const runtime = childrenOf(child.pid!);
    if (runtimeFirst) killAll(runtime);
    await killHard(child);
    await sleep(runtimeAfterMs);
    killAll(runtime);
    await untilDead(runtime);
  }

  /** SIGKILL to the process alone: its runtime stays behind on the port. */
  async killLeavingRuntime(): Promise<void> {
    this.#orphans = childrenOf(this.#child!.pid!);
    await killHard(this.#child!);
  }

  async stop(): Promise<void> {
    killAll(this.#orphans);
    const child = this.#child;
    if (child === undefined || hasEnded(child)) return;
    const runtime = childrenOf(child.pid!);
    const closed = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await closed;
    killAll(runtime);
  }
}

async function killHard(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null;

/** Runtimes among the children of a process: who has them before it is killed can kill them too. */
function childrenOf(parent: number): number[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,comm="], { encoding: "utf8" }).split("\n");
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, ppid, command]) => Number(ppid) === parent && command!.includes("workerd"))
    .map(([pid]) => Number(pid));
}

/** False also for one that has ended and is not yet waited for, and for a number that another program has by now. */
function isRunning(pid: number): boolean {
  try {
    const [state, command] = execFileSync("ps", ["-o", "state=,comm=", "-p", String(pid)], {
      encoding: "utf8",
    })
      .trim()
      .split(/\s+/);
    return state !== "Z" && command!.includes("workerd");
  } catch {
    return false; // `ps` found none
  }
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) if (isRunning(pid)) process.kill(pid, "SIGKILL");
}

async function untilDead(pids: readonly number[]): Promise<void> {
  while (pids.some(isRunning)) await sleep(5);
}

/** A port nobody has right now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
