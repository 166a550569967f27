// Tokens that are none → how often an address may bring them. What an isolate remembers is bounded, and forgotten with it.
import { wallMs } from "./clock.ts";
import { Problem } from "./problem.ts";

/** So many within a minute are answered for what they are. */
export const FAILURES_MAX = 600;
const WINDOW_MS = 60_000;
/** Most addresses that are remembered: of those beyond it the oldest go. */
const ADDRESSES_MAX = 10_000;

/** Failed sign-ins of this isolate, by address. */
export class FailedSignIns {
  readonly #failures = new Map<string, { count: number; sinceMs: number }>();

  /**
   * Notes that `address` brought a token that is none. A good token is never asked about here: whoever shares the address
   * with somebody who guesses is not slowed.
   * @throws Problem `too_many_failures`: it did so too often of late.
   */
  note(address: string | null): void {
    if (address === null) return; // a local run
    const now = wallMs();
    const known = this.#failures.get(address);
    const failed =
      known === undefined || now - known.sinceMs >= WINDOW_MS ? { count: 0, sinceMs: now } : known;
    failed.count += 1;
    if (failed !== known) {
      this.#failures.delete(address);
      this.#failures.set(address, failed);
      if (this.#failures.size > ADDRESSES_MAX) this.#failures.delete(this.#failures.keys().next().value!);
    }
    if (failed.count <= FAILURES_MAX) return;
    if (failed.count === FAILURES_MAX + 1) console.warn("many tokens that are none", { address });
    const text = `${FAILURES_MAX} tokens of this address were none within a minute; a good one is taken at any time`;
    throw new Problem("too_many_failures", text, {
      retryAfterMs: Math.max(1, failed.sinceMs + WINDOW_MS - now),
    });
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#failures.size;
  }
}
