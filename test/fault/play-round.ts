// One round on a running server: everything is sent and broken at once; then faults end, the world settles, and every tier
// is compared with the ledger.
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { TenantClient } from "../flow/tenant-client.ts";
import { compare, type Difference, storedOf } from "./compare.ts";
import { Credentials, type Holder } from "./credentials.ts";
import type { Fault, FaultCounts } from "./faults.ts";
import { Ledger } from "./ledger.ts";
import { playActs } from "./operator.ts";
import { LISTED, VIEWER } from "./plan-acts.ts";
import { type Kill, planRound, type Round } from "./plan-round.ts";
import { playStream, speakerOf, type World } from "./play-stream.ts";
import { playViewer } from "./play-viewer.ts";
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
  readonly #credentials: Credentials;
  /** Who speaks in each stream, and the viewer. */
  readonly #holders: Holder[];
  #steps = 0;

  constructor(round: Round, server: ServerProcess, secret: string) {
    this.#round = round;
    this.#server = server;
    // A round before may have left the server with another secret.
    this.#client = new TenantClient(server.url, server.secrets[0] ?? secret, round.tenant);
    this.#credentials = new Credentials(this.#client);
    const holders: Holder[] = [...round.streams.map(speakerOf), { role: "viewer" }];
    this.#holders = holders.map((holder, n) => ({ ...holder, isListed: LISTED.includes(n) }));
    this.#storm = new Storm(server, this.#client, round.seed, round.rates);
  }

  async play(signal?: AbortSignal): Promise<RoundResult> {
    signal?.addEventListener("abort", () => this.#failed.abort(signal.reason));
    const { seed, streams } = this.#round;
    await this.#storm.begin();
    const world = this.#world();
    const playing = Promise.all(streams.map((stream) => playStream(stream, world)));
    await this.#abortingEachOther([
      playing,
      this.#killAll(playing),
      this.#operate(playing),
      this.#watch(playing),
      this.#tick(playing),
    ]);
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
      accepted: Math.max(found.accepted, later.accepted),
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
      credentials: this.#credentials,
      holderOf: (stream) => this.#holders[this.#round.streams.indexOf(stream)]!,
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

  /** How much of the round has been sent. */
  #share(): number {
    return this.#steps / this.#round.streams.reduce((sum, { steps }) => sum + steps.length, 0);
  }

  async #killAll(playing: Promise<unknown>): Promise<void> {
    const killed = async ({ rotation }: Kill) => {
      this.#ledger.endDoubts();
      if (rotation !== undefined) await this.#rotate(rotation);
    };
    const share = () => this.#share();
    await this.#storm.killAll(this.#round.kills, share, endOf(playing), this.#failed.signal, killed);
  }

  /** All is dead. It begins again with a new secret beside the one it had, or without the old. */
  async #rotate(rotation: "begins" | "ends"): Promise<void> {
    if (rotation === "begins") {
      const old = this.#client.secret;
      this.#client.secret = createHash("sha256").update(`${this.#round.seed} ${old}`).digest("base64");
      this.#server.secrets = [this.#client.secret, old];
      this.#storm.note("new secret beside the old");
    } else {
      this.#server.secrets = [this.#client.secret];
      await this.#credentials.keepOnly(this.#client.secret);
      this.#storm.note("old secret dropped");
    }
  }

  async #operate(playing: Promise<unknown>): Promise<void> {
    const office = {
      client: this.#client,
      credentials: this.#credentials,
      holders: this.#holders,
      devices: this.#round.streams.flatMap(({ devices }) => devices),
      signal: this.#failed.signal,
      note: (fault: Fault) => this.#storm.note(fault),
    };
    await playActs(office, this.#round.acts, () => this.#share(), endOf(playing));
  }

  async #watch(playing: Promise<unknown>): Promise<void> {
    const watched = {
      ...{ url: this.#server.url, ledger: this.#ledger, credentials: this.#credentials },
      ...{ viewer: this.#holders[VIEWER]!, signal: this.#failed.signal },
      note: (fault: Fault) => this.#storm.note(fault),
    };
    await playViewer(watched, endOf(playing));
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
