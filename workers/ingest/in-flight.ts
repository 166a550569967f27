// Requests and frames that an isolate has taken on → how much of it there may be at once; what is more is refused at once.
import { wallMs } from "../clock.ts";
import { Problem } from "../problem.ts";

/** Most requests that are read, parsed or waited for at once. */
export const IN_FLIGHT_MAX = 1_000;
/**
 * Most bytes of their bodies, inflated, and of gateways' frames that wait: parsed, each takes some three, and an isolate has
 * 128 MB.
 */
export const IN_FLIGHT_BYTES_MAX = 32 * 1024 * 1024;
/** One tenant's share of either: who sends slowly, or all at once, leaves room for the others. */
export const TENANT_SHARE = 0.5;
/** When a client may try again: most of what is under way is over in a second. */
const RETRY_AFTER_MS = 1_000;
/** Refusals are noted in the log this often. */
const NOTED_EVERY_MS = 10_000;
/** What is under way for longer counts no more: the runtime drops a request whose client has gone, and says nothing. */
const HELD_MS_MAX = 60_000;

/** How much is under way, of one tenant or of all. */
interface Load {
  requests: number;
  bytes: number;
}

/** How much one isolate has taken on; a Worker and its objects in it share the memory. */
export class InFlight {
  readonly all: Load = { requests: 0, bytes: 0 };
  /** How much was refused since the isolate began. */
  refused = 0;
  readonly #tenants = new Map<string, Load>();
  /** In the order they came. */
  readonly #held = new Set<Held>();
  #notedAt = Number.NEGATIVE_INFINITY;

  /**
   * Takes on a request, or a frame, of so many bytes, as far as they are known.
   * @param requests 0 of a frame: its socket was counted when it was opened
   * @throws Problem `unavailable` when there is too much, of its tenant or of all.
   */
  hold(tenant: string, bytes: number, requests = 1): Held {
    for (const old of this.#held) {
      if (old.sinceMs > wallMs() - HELD_MS_MAX) break;
      old.release();
    }
    this.add(tenant, { requests, bytes });
    const held = new Held(this, tenant, { requests, bytes }, () => this.#held.delete(held));
    this.#held.add(held);
    return held;
  }

  /** Adds to what is under way. @throws Problem `unavailable` when that is too much; nothing is added then. */
  add(tenant: string, more: Load): void {
    const own = this.#tenants.get(tenant) ?? { requests: 0, bytes: 0 };
    if (isOver(this.all, more, 1) || isOver(own, more, TENANT_SHARE)) throw this.#refuse(tenant);
    this.#tenants.set(tenant, own);
    for (const load of [this.all, own]) {
      load.requests += more.requests;
      load.bytes += more.bytes;
    }
  }

  /** Takes what is over from what is under way. */
  take(tenant: string, over: Load): void {
    const own = this.#tenants.get(tenant)!;
    for (const load of [this.all, own]) {
      load.requests -= over.requests;
      load.bytes -= over.bytes;
    }
    if (own.requests === 0 && own.bytes === 0) this.#tenants.delete(tenant);
  }

  /** Counts a refusal, and notes it in the log now and then. Returns what is said of it. */
  #refuse(tenant: string): Problem {
    this.refused += 1;
    if (wallMs() - this.#notedAt > NOTED_EVERY_MS) {
      this.#notedAt = wallMs();
      console.warn("too much is under way; more is refused", { tenant, ...this.all, refused: this.refused });
    }
    const most = `at most ${IN_FLIGHT_MAX} requests and ${IN_FLIGHT_BYTES_MAX} bytes are taken on at once, half of that of one tenant`;
    const detail = `too much is under way here: ${most}; nothing of this was taken, send it again`;
    return new Problem("unavailable", detail, { retryAfterMs: RETRY_AFTER_MS });
  }
}

const isOver = (load: Load, more: Load, share: number) =>
  (more.requests > 0 && load.requests + more.requests > IN_FLIGHT_MAX * share) ||
  (more.bytes > 0 && load.bytes + more.bytes > IN_FLIGHT_BYTES_MAX * share);

/** A request or a frame, until it is released. */
export class Held {
  readonly sinceMs = wallMs();
  readonly #all: InFlight;
  readonly #tenant: string;
  readonly #load: Load;
  readonly #leave: () => void;
  #isOver = false;

  constructor(all: InFlight, tenant: string, load: Load, leave: () => void) {
    this.#all = all;
    this.#tenant = tenant;
    this.#load = load;
    this.#leave = leave;
  }

  /** Takes on more bytes of it. @throws Problem `unavailable` when that is too much; it is still to be released. */
  grow(bytes: number): void {
    if (this.#isOver) return;
    this.#all.add(this.#tenant, { requests: 0, bytes });
    this.#load.bytes += bytes;
  }

  /** Lets go of it; again changes nothing. */
  release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#leave();
    this.#all.take(this.#tenant, this.#load);
  }
}

/** What this isolate has taken on. */
export const inFlight = new InFlight();
