// What breaks a round from outside, and tells the faulty Worker what to break inside; counts all of it.
import { setTimeout as sleep } from "node:timers/promises";
import type { TenantClient } from "../flow/tenant-client.ts";
import { chance } from "./chance.ts";
import { addCounts, type Fault, type FaultCounts, type FaultOrder, type FaultRates } from "./faults.ts";
import type { Kill } from "./plan-round.ts";
import type { ServerProcess } from "./server-process.ts";

const ORPHAN_MS_MAX = 300;

export class Storm {
  readonly faults: FaultCounts = {};
  readonly #server: ServerProcess;
  readonly #client: TenantClient;
  readonly #seed: number;
  readonly #rates: FaultRates;
  #lives = 0;

  constructor(server: ServerProcess, client: TenantClient, seed: number, rates: FaultRates) {
    this.#server = server;
    this.#client = client;
    this.#seed = seed;
    this.#rates = rates;
  }

  begin(): Promise<void> {
    return this.#obey({ seed: this.#seed, rates: this.#rates });
  }

  /** Nothing more is broken inside; what was is counted. */
  end(): Promise<void> {
    return this.#obey({ seed: this.#seed, rates: {} });
  }

  note(fault: Fault): void {
    addCounts(this.faults, { [fault]: 1 });
  }

  /**
   * Each kill in its turn.
   * @param share how much of the round has been sent.
   * @param isOver nothing more is sent: what is left of the kills comes now.
   * @param killed all is dead, and nothing has begun again.
   */
  async killAll(
    kills: readonly Kill[],
    share: () => number,
    isOver: () => boolean,
    signal: AbortSignal,
    killed: (kill: Kill) => void | Promise<void>,
  ): Promise<void> {
    for (const kill of kills) {
      while (share() < kill.afterShare && !isOver()) await sleep(5);
      if (signal.aborted) return;
      await sleep(kill.delayMs);
      await this.#kill(kill, killed);
    }
  }

  async #kill(kill: Kill, killed: (kill: Kill) => void | Promise<void>): Promise<void> {
    const { how, delayMs } = kill;
    await this.#takeCounts({ seed: this.#seed, rates: this.#rates }).catch(() => undefined);
    if (how === "kill -9 of the runtime first") await this.#server.kill({ runtimeFirst: true });
    else if (how === "kill -9 of process and runtime") await this.#server.kill();
    else await this.#server.kill({ runtimeAfterMs: (delayMs * 37) % ORPHAN_MS_MAX });
    this.note(how);
    await killed(kill);
    await this.#server.start();
    this.#lives += 1;
    const seed = Math.floor(chance(this.#seed, "life", this.#lives) * 2 ** 31);
    await this.#obey({ seed, rates: this.#rates });
  }

  async #obey(order: FaultOrder): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#takeCounts(order);
      } catch (error) {
        if (tries >= 5) throw error;
        await sleep(100);
      }
    }
  }

  async #takeCounts(order: FaultOrder): Promise<void> {
    const { body } = await this.#client.ask("/local/fault", { method: "POST", body: JSON.stringify(order) });
    addCounts(this.faults, body as FaultCounts);
  }
}

/** Says whether it has come to its end, good or bad. */
export function endOf(playing: Promise<unknown>): () => boolean {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  playing.then(over, over);
  return () => isOver;
}
