// Rounds → their results: a few servers side by side, each playing one round after another on a state folder of its own.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundle } from "../../scripts/bundle.ts";
import { readLocalSecret } from "../../scripts/local-secret.ts";
import { freePort, ServerProcess } from "./server-process.ts";

/** Plays the round of a seed on a running server. `todayMs`: midnight. */
export type Play<R> = (
  seed: number,
  todayMs: number,
  server: ServerProcess,
  secret: string,
  signal?: AbortSignal,
) => Promise<R>;

export interface RoundsOptions<R> {
  /** The first round's; each next round's is one higher. */
  seed: number;
  rounds: number;
  /** Servers at once. */
  servers: number;
  /** Leaves the state folders behind. */
  keep?: boolean;
  play: Play<R>;
  onRound?(result: RoundOutcome<R>): void;
  /** Aborted: rounds that are being played fail, and no other begins. */
  signal?: AbortSignal;
}

/** `error`: the round could not be played to its end, which nothing that was injected excuses. */
export type RoundOutcome<R> = (R & { error?: undefined }) | { seed: number; error: string };

/** The cron looks at everything there is: after so many rounds a server begins on an empty state again. */
const ROUNDS_PER_STATE = 10;
const DAY_MS = 86_400_000;

/** The Worker that fails by order. */
export const ENTRY = "test/fault/worker/faulty-worker.ts";

export async function runRounds<R extends { seed: number }>(
  options: RoundsOptions<R>,
): Promise<RoundOutcome<R>[]> {
  const { seed, rounds, servers, keep, play, signal } = options;
  const secret = await readLocalSecret();
  const folder = await mkdtemp(join(tmpdir(), "telltale-fault-"));
  const worker = join(folder, "faulty-worker.mjs");
  await writeFile(worker, await bundle(ENTRY, { sourcemap: "inline" }));
  const seeds = Array.from({ length: rounds }, (_, i) => seed + i);
  const outcomes: RoundOutcome<R>[] = [];

  const todayMs = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const playSome = async (state: string) => {
    const server = new ServerProcess(await freePort(), join(folder, state), [
      "server.ts",
      "--worker",
      worker,
    ]);
    try {
      await server.start();
      for (let played = 0; played < ROUNDS_PER_STATE; played++) {
        const next = seeds.shift();
        if (next === undefined || signal?.aborted) return;
        const outcome: RoundOutcome<R> = await play(next, todayMs, server, secret, signal).catch(
          (error: Error) => ({ seed: next, error: error.stack ?? String(error) }),
        );
        outcomes.push(outcome);
        options.onRound?.(outcome);
      }
    } finally {
      await server.stop();
    }
  };
  const lane = async (name: string) => {
    for (let states = 1; seeds.length > 0 && !signal?.aborted; states++) await playSome(`${name}-${states}`);
  };
  try {
    await Promise.all(Array.from({ length: servers }, (_, i) => lane(`server-${i + 1}`)));
  } finally {
    // A runtime that was just killed may still be writing.
    if (!keep) await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
  return outcomes.sort((a, b) => a.seed - b.seed);
}
