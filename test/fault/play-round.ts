// One round on a running server: everything is sent and broken at once; then faults end, the world settles, and every tier
// is compared with the ledger.
import { setTimeout as sleep } from "node:timers/promises";
import { TenantClient } from "../flow/tenant-client.ts";
import { compare, type Difference, storedOf } from "./compare.ts";
import type { FaultCounts } from "./faults.ts";
import { Ledger } from "./ledger.ts";
import { planRound, type Round } from "./plan-round.ts";
import { playStream, type World } from "./play-stream.ts";
import type { Play } from "./run-rounds.ts";
import type { ServerProcess } from "./server-process.ts";
import { endOf, Storm } from "./storm.ts";

export interface RoundResult extends Difference {
  seed: number;
  acknowledged: number;
  distinct: number;
  faults: FaultCounts;
}

const ROUND_MS_MAX = 120_000;
const SETTLE_MS_MAX = 60_000;
/** How long the last blocks are sent and stored while things still break. */
const STORM_SEALINGS = 4;
const STORM_PAUSE_MS = 150;
const TICK_PAUSE_MS = 400;
/** Phases of a deletion after the files have been written anew. */
const ERASED = ["orphans", "alerts", "hours", "finish", "past", "past hours", "end", "done"];

export const playRound: Play<RoundResult> = async (seed, todayMs, server, secret, signal) =>
  await new PlayedRound(planRound(seed, todayMs), server, secret).play(signal);

class PlayedRound {
  readonly #round: Round;
  readonly #server: ServerProcess;
  readonly #client: TenantClient;
  readonly #ledger = new Ledger();
  readonly #storm: Storm;
  readonly #failed = new AbortController();
  readonly #deleted: string[] = [];
  /** Where each deletion says how far it is. */
  readonly #deletions = new Map<string, string>();
  #steps = 0;

  constructor(round: Round, server: ServerProcess, secret: string) {
    this.#round = round;
    this.#server = server;
    this.#client = new TenantClient(server.url, secret, round.tenant);
    this.#storm = new Storm(server, this.#client, round.seed, round.rates);
  }

  async play(signal?: AbortSignal): Promise<RoundResult> {
    signal?.addEventListener("abort", () => this.#failed.abort(signal.reason));
    const { seed, streams } = this.#round;
    await this.#storm.begin();
    const world = this.#world();
    const playing = Promise.all(streams.map((stream) => playStream(stream, world)));
    await this.#abortingEachOther([playing, this.#killAll(playing), this.#tick(playing)]);
    await this.#client.ask("/local/fault/release", { method: "POST" });
    for (let i = 0; i < STORM_SEALINGS; i++) {
      await Promise.all(this.#ledger.devices.map((device) => this.#client.seal(device)));
      await sleep(STORM_PAUSE_MS);
    }
    await this.#storm.end();
    await this.#settle();
    const found = await compare(this.#client, this.#ledger);
    await this.#deliverLate();
    const later = await compare(this.#client, this.#ledger);
    await this.#storm.end();
    const { acknowledged, distinct } = this.#ledger;
    return {
      seed,
      acknowledged,
      distinct,
      faults: this.#storm.faults,
      lost: Math.max(found.lost, later.lost),
      doubled: Math.max(found.doubled, later.doubled),
      examples: [
        ...found.examples,
        ...later.examples
          .filter((example) => !found.examples.includes(example))
          .map((example) => `after late messages ${example}`),
      ],
    };
  }

  #world(): World {
    const { url } = this.#server;
    const secondsLeft = AbortSignal.timeout(ROUND_MS_MAX);
    return {
      url,
      ledger: this.#ledger,
      signal: AbortSignal.any([secondsLeft, this.#failed.signal]),
      token: ({ kind, devices }) =>
        kind === "device socket" ? this.#client.token("device", devices[0]) : this.#client.token("gateway"),
      note: (fault) => this.#storm.note(fault),
      stepped: () => {
        this.#steps += 1;
      },
      evict: async (device, webSockets) => {
        const object = `${this.#round.tenant}/${device}`;
        const done = await this.#server.order({ do: "evict", object, webSockets });
        if (done) this.#storm.note(webSockets === "close" ? "forced eviction" : "forced hibernation");
      },
      delete: (device) => this.#delete(device),
    };
  }

  /** Asks again and again, as an operator does whose server goes away. */
  async #delete(device: string): Promise<void> {
    for (; !this.#deletions.has(device); await sleep(TICK_PAUSE_MS)) {
      this.#failed.signal.throwIfAborted();
      await this.#phaseOfDeletion(device);
    }
    this.#ledger.forget(device);
    this.#deleted.push(device);
    this.#storm.note("device deleted under way");
  }

  /** How far the deletion is; it begins when it is asked for the first time, and goes on when it gave up. "": nobody says. */
  async #phaseOfDeletion(device: string): Promise<string> {
    const token = await this.#client.token("admin");
    const path = this.#deletions.get(device);
    const asked = path === undefined ? { method: "DELETE", token } : { token };
    const answer = await this.#client.ask(path ?? `/v1/devices/${device}`, asked).catch(() => undefined);
    if (answer === undefined || answer.status >= 300) return "";
    const { id, status, progress } = answer.body as {
      id: string;
      status: string;
      progress: { phase: string };
    };
    this.#deletions.set(device, `/v1/admin/jobs/${id}`);
    if (status === "failed")
      await this.#client.ask(`/v1/admin/jobs/${id}/resume`, { method: "POST", token }).catch(() => undefined);
    return progress.phase;
  }

  async #abortingEachOther(parts: Promise<unknown>[]): Promise<void> {
    try {
      await Promise.all(parts);
    } finally {
      this.#failed.abort();
      await Promise.allSettled(parts);
    }
  }

  async #killAll(playing: Promise<unknown>): Promise<void> {
    const all = this.#round.streams.reduce((sum, { steps }) => sum + steps.length, 0);
    const share = () => this.#steps / all;
    const killed = () => this.#ledger.endDoubts();
    await this.#storm.killAll(this.#round.kills, share, endOf(playing), this.#failed.signal, killed);
  }

  async #tick(playing: Promise<unknown>): Promise<void> {
    const isOver = endOf(playing);
    for (; this.#round.cronTicks && !isOver(); await sleep(TICK_PAUSE_MS)) {
      await this.#server.order({ do: "tick" }, SETTLE_MS_MAX);
      await this.#expireLeases().catch(() => undefined);
    }
  }

  /** Blocks are sealed and sent until storage has confirmed each; a next life's are taken when the deletion is so far. */
  async #settle(): Promise<void> {
    const deadline = Date.now() + SETTLE_MS_MAX;
    await this.#expireLeases();
    let waiting = this.#ledger.devices;
    for (; waiting.length > 0; await sleep(100)) {
      if (this.#deleted.length > 0) await this.#server.order({ do: "tick" }, SETTLE_MS_MAX);
      const answers = await Promise.all(waiting.map((device) => this.#client.seal(device)));
      const isDone = answers.map(({ status, body }) => {
        const { sealed, pending } = body as { sealed: number; pending: number };
        return status === 200 && sealed === 0 && pending === 0;
      });
      if (Date.now() > deadline)
        throw new Error(`never settled: ${waiting} ${JSON.stringify(answers.map(({ body }) => body))}`);
      waiting = waiting.filter((_, i) => !isDone[i]);
    }
    await this.#computeHours();
  }

  /** The cron ticks until no hour is left to compute, and of who was deleted no file to write anew. */
  async #computeHours(): Promise<void> {
    await this.#expireLeases();
    const isDone = async () => {
      const phases = await Promise.all(this.#deleted.map((device) => this.#phaseOfDeletion(device)));
      return (
        phases.every((phase) => ERASED.includes(phase)) && (await storedOf(this.#client)).dirtyHours === 0
      );
    };
    for (const deadline = Date.now() + SETTLE_MS_MAX; !(await isDone()); ) {
      if (Date.now() > deadline) throw new Error("the cron was never done");
      await this.#server.order({ do: "tick" }, SETTLE_MS_MAX);
    }
  }

  /** No cron is at work: whoever holds a chore died at it. */
  async #expireLeases(): Promise<void> {
    await this.#client.ask("/local/fault/expire", { method: "POST" });
  }

  /** Messages held back all the while come now, when everything newer is stored and confirmed. */
  async #deliverLate(): Promise<void> {
    const { body } = await this.#client.ask("/local/fault/release", { method: "POST" });
    const { consumedAt } = body as { consumedAt: number };
    const consumed = async () => (await this.#client.ask("/local/fault/consumed")).body as number;
    for (const deadline = Date.now() + SETTLE_MS_MAX; (await consumed()) < consumedAt; await sleep(50)) {
      if (Date.now() > deadline) throw new Error("the messages held back never came");
    }
    await this.#computeHours();
  }
}
