// The one alarm of a zone object: set to the earliest of all it has to wake for.
import { wallMs } from "../../clock.ts";

/** An alarm this long past has not fired and will not: the platform gives up after six failures. */
const LOST_AFTER_MS = 10 * 60_000;

/** The alarm of a zone's or fleet's object. */
export class ZoneAlarm {
  readonly #storage: DurableObjectStorage;
  /** What is set; null: nothing; undefined: not known since the object woke. */
  #at: number | null | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Reads what is set. To be awaited before `plan`, so that a plan and the rows it is for are one commit. */
  async ready(): Promise<void> {
    if (this.#at !== undefined) return;
    const at = await this.#storage.getAlarm();
    this.#at ??= at;
  }

  /** Wakes the object at `atMs` or earlier. An alarm that is early enough stays, for setting one is a row written. */
  plan(atMs: number): void {
    const isEnough = typeof this.#at === "number" && this.#at <= atMs && this.#at > wallMs() - LOST_AFTER_MS;
    if (isEnough) return;
    this.#at = atMs;
    void this.#storage.setAlarm(atMs);
  }

  /** To be called when the alarm fires: nothing is set any more. */
  fired(): void {
    this.#at = null;
  }
}
