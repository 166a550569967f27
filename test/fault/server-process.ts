// `npm start`'s process for fault tests: started, killed hard with or without its runtime, started again.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const START = fileURLToPath(new URL("../../scripts/start.ts", import.meta.url));

export class ServerProcess {
  readonly url: string;
  readonly #port: number;
  readonly #state: string;
  #child: ChildProcess | undefined;

  constructor(port: number, state: string) {
    this.#port = port;
    this.#state = state;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Resolves when it has said where the dashboard is. */
  async start(): Promise<void> {
    const child = spawn(
      process.execPath,
      [START, "--port", String(this.#port), "--state", this.#state, "--no-demo"],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.#child = child;
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      output += chunk;
    });
    for (const deadline = Date.now() + 40_000; !output.includes("dashboard"); await sleep(50)) {
      if (child.exitCode !== null || Date.now() > deadline)
        throw new Error(`the server did not start:\n${output}`);
    }
  }

  /** SIGKILL to the process, and to its runtime unless that is to be left behind as an orphan. */
  async kill({ leaveRuntime }: { leaveRuntime: boolean }): Promise<void> {
    const { pids } = JSON.parse(readFileSync(join(this.#state, "telltale-running.json"), "utf8")) as {
      pids: number[];
    };
    const [own, ...runtime] = pids;
    for (const pid of leaveRuntime ? [own!] : [own!, ...runtime]) process.kill(pid, "SIGKILL");
    await new Promise(
      (resolve) => this.#child!.once("close", resolve).exitCode !== null && resolve(undefined),
    );
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await closed;
  }
}

/** A port nobody has right now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
