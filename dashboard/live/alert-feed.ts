// The active incidents of the tenant, kept up to date for every page: a stream says that something happened, a question says what.
import type { ListedIncident } from "../../schemas/alert-http.ts";
import type { IncidentList } from "../base/answers.ts";
import { type Api, type ApiError, asApiError } from "../base/api.ts";

/** Asked this often while no stream says that something happened, and this often to make good what a stream lost. */
const ASK_EVERY_MS = { live: 60_000, asking: 10_000 };
/** The list is told of an event a moment after the stream: it is asked again this long after each answer. */
const ECHOES_MS = [1_000, 2_000, 5_000];
/** More than this no operator reads; the badge then says so with a plus. */
export const ACTIVE_MAX = 200;

export class AlertFeed {
  active: ListedIncident[] | null = null;
  /** There are more than `active` holds. */
  hasMore = false;
  error: ApiError | null = null;
  isLive = false;
  readonly #api: Api;
  readonly #changeListeners = new Set<() => void>();
  readonly #signalListeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asking = false;
  #askAgain = false;
  /** Echoes of the last signal that are done. */
  #echoes = ECHOES_MS.length;
  #closed = false;

  constructor(api: Api) {
    this.#api = api;
    void this.#ask();
  }

  /** Something happened to an alert: asks at once, and again when it has settled. */
  signal(): void {
    this.#echoes = 0;
    for (const listener of this.#signalListeners) listener();
    void this.#ask();
  }

  setLive(isLive: boolean): void {
    if (this.isLive === isLive || this.#closed) return;
    this.isLive = isLive;
    this.#changed();
    this.signal(); // what happened between the two is known to neither
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Calls back when what is known of the active incidents changed. */
  onChange(listener: () => void): () => void {
    this.#changeListeners.add(listener);
    return () => this.#changeListeners.delete(listener);
  }

  /** Calls back when something happened to any alert. */
  onSignal(listener: () => void): () => void {
    this.#signalListeners.add(listener);
    return () => this.#signalListeners.delete(listener);
  }

  #changed(): void {
    for (const listener of this.#changeListeners) listener();
  }

  async #ask(): Promise<void> {
    if (this.#closed) return;
    if (this.#asking) {
      this.#askAgain = true;
      return;
    }
    this.#asking = true;
    this.#askAgain = false;
    clearTimeout(this.#timer);
    const before = JSON.stringify(this.active);
    try {
      const { incidents, next } = await this.#api.get<IncidentList>(
        `/v1/incidents?state=active&limit=${ACTIVE_MAX}`,
      );
      this.active = incidents;
      this.hasMore = next !== null;
      this.error = null;
    } catch (thrown) {
      this.error = asApiError(thrown);
    }
    this.#asking = false;
    if (this.#closed) return;
    this.#changed();
    // Whoever listens for events shall hear of what only the asking found.
    if (JSON.stringify(this.active) !== before) for (const listener of this.#signalListeners) listener();
    if (this.#askAgain) this.#echoes = 0;
    this.#later(ECHOES_MS[this.#echoes++] ?? ASK_EVERY_MS[this.isLive ? "live" : "asking"]);
  }

  #later(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (document.hidden ? this.#later(delayMs) : void this.#ask()), delayMs);
  }
}
