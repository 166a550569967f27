// A state folder → held by this process alone, after asking whoever is at the terminal what becomes of an earlier run.
import { createInterface } from "node:readline/promises";
import { claimState, end, type Running } from "../running.ts";

export interface HoldOptions {
  state: string;
  /** End an earlier run without asking. */
  replace: boolean;
  log(line: string): void;
  /** Asks whoever is there; undefined: nobody is. */
  ask: ((question: string) => Promise<string>) | undefined;
}

/** @throws Error that names what runs there already, unless it may be ended; or why the folder cannot be written. */
export async function holdState({ state, replace, log, ask }: HoldOptions): Promise<void> {
  for (let mayEnd = replace; ; mayEnd = true) {
    const claimed = await claimState(state);
    if ("ended" in claimed) {
      const { ended } = claimed;
      if (ended.length > 0)
        log(`ended what a run that was killed left on ${state} (pid ${ended.join(", ")})`);
      return;
    }
    const text = `Telltale runs on ${state} already: ${describe(claimed.inUse, Date.now())}`;
    if (!mayEnd && !/^y(es)?$/i.test((await ask?.(`${text}\nEnd it? [y/N] `)) ?? "")) {
      const remedy = `stop it (kill ${claimed.inUse.pids[0]}), start on another folder with --state DIR and --port N, or end it with --replace`;
      throw new Error(ask === undefined ? `${text}; ${remedy}` : `it goes on; ${remedy}`);
    }
    const ended = await end(claimed.inUse);
    log(`ended the earlier run on ${state} (pid ${ended.join(", ")})`);
  }
}

function describe({ pids, url, startedAt }: Running, now: number): string {
  const minutes = Math.floor((now - startedAt) / 60_000);
  const ago = minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
  return `pid ${pids[0]}, ${url || "still starting"}, since ${new Date(startedAt).toISOString()} (${ago})`;
}

/** Asks at the terminal; undefined when there is none. */
export function terminalQuestion(): HoldOptions["ask"] {
  if (!process.stdin.isTTY || !process.stdout.isTTY) return undefined;
  return async (question) => {
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    try {
      return await terminal.question(question);
    } finally {
      terminal.close();
    }
  };
}
