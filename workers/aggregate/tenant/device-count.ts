// The registry, and who is not in it yet → whether the tenant may have one device more.
import { wallMs } from "../../clock.ts";

/** How old a count may be while the tenant has room. */
const COUNT_AGE_MS = 60_000;
/** How old it may be when it has none: a device that was deleted makes room at once, and a crowd costs a count a second. */
const COUNT_AGE_FULL_MS = 1_000;
/** A device is in the registry seconds after its first report; one that is not by now never reported. */
const ADMITTED_MS = 60_000;

/**
 * How many devices a tenant has. A count reads a row of the registry's index for each of them, which is billed: at most
 * one a minute while there is room, one a second while there is none and somebody asks.
 */
export class DeviceCount {
  readonly #control: D1Database;
  readonly #tenant: string;
  #registered = 0;
  #countedAt = Number.NEGATIVE_INFINITY;
  /** Those who were let in and are not known to be registered yet, with when. */
  readonly #admitted = new Map<string, number>();

  constructor(control: D1Database, tenant: string) {
    this.#control = control;
    this.#tenant = tenant;
  }

  /**
   * Lets a device in, unless there are `most` without it: then returns false. Devices are let in one after another, so
   * that there are never more.
   * @throws when the registry is away.
   */
  admit(device: string, most: number): Promise<boolean> {
    const turn = this.#turn.then(() => this.#decide(device, most));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #turn: Promise<unknown> = Promise.resolve();

  async #decide(device: string, most: number): Promise<boolean> {
    await this.#count(COUNT_AGE_MS);
    if (this.#isFull(most)) await this.#count(COUNT_AGE_FULL_MS);
    if (this.#admitted.has(device)) return true;
    if (this.#isFull(most)) return await this.#isRegistered(device);
    this.#admitted.set(device, wallMs());
    return true;
  }

  /** How many there are, as far as it is known. */
  get known(): number {
    return this.#registered + this.#admitted.size;
  }

  /** Counts those there are now. @throws when the registry is away. */
  async count(): Promise<number> {
    await this.#count(COUNT_AGE_FULL_MS);
    return this.known;
  }

  /** Forgets a device that was deleted. */
  release(device: string): void {
    this.#admitted.delete(device);
    this.#countedAt = Number.NEGATIVE_INFINITY;
  }

  #isFull(most: number): boolean {
    return this.known >= most;
  }

  async #count(ageMs: number): Promise<void> {
    const now = wallMs();
    if (now - this.#countedAt < ageMs) return;
    const admitted = [...this.#admitted.keys()];
    const [registered, found] = await this.#control.batch<{ count: number } & { device: string }>([
      this.#control.prepare("SELECT count(*) AS count FROM device WHERE tenant = ?1").bind(this.#tenant),
      this.#control
        .prepare("SELECT device FROM json_each(?2) JOIN device ON tenant = ?1 AND device = value")
        .bind(this.#tenant, JSON.stringify(admitted)),
    ]);
    this.#registered = registered!.results[0]!.count;
    this.#countedAt = now;
    for (const { device } of found!.results) this.#admitted.delete(device);
    for (const [device, at] of this.#admitted) if (now - at > ADMITTED_MS) this.#admitted.delete(device);
  }

  async #isRegistered(device: string): Promise<boolean> {
    const row = await this.#control
      .prepare("SELECT 1 FROM device WHERE tenant = ?1 AND device = ?2")
      .bind(this.#tenant, device)
      .first();
    return row !== null;
  }
}
