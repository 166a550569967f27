// Where the token comes from and when it is forgotten: the address, the browser's memory, the local run, or the form.

export type SessionState =
  | { kind: "starting" }
  | { kind: "signed-in"; token: string }
  | { kind: "signed-out"; reason: string | null };

export interface SessionDeps {
  /** The token in the address, taken out of the address bar as it is read. */
  takeFragmentToken(): string | null;
  recall(): string | null;
  remember(token: string | null): void;
  /** `GET /local/session`: a token on a local run, null elsewhere. */
  fetchLocalToken(): Promise<string | null>;
}

export class Session {
  state: SessionState = { kind: "starting" };
  readonly #deps: SessionDeps;
  readonly #listeners = new Set<() => void>();
  /** The local run is asked again once after a refusal, not for ever. */
  #localRetried = false;

  constructor(deps: SessionDeps) {
    this.#deps = deps;
  }

  get token(): string | null {
    return this.state.kind === "signed-in" ? this.state.token : null;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async start(): Promise<void> {
    const token = this.#deps.takeFragmentToken() ?? this.#deps.recall();
    if (token) return this.signIn(token);
    await this.#askLocalRun(null);
  }

  signIn(token: string): void {
    this.#deps.remember(token);
    this.#become({ kind: "signed-in", token });
  }

  signOut(): void {
    this.#deps.remember(null);
    this.#become({ kind: "signed-out", reason: null });
  }

  /** The server accepted the token: a later refusal may ask the local run again. */
  accepted(): void {
    this.#localRetried = false;
  }

  /** The server refused `token` with a 401. Refusals of a token no longer in use change nothing. */
  async refused(token: string, reason: string): Promise<void> {
    if (this.token !== token) return;
    this.#deps.remember(null);
    if (this.#localRetried) return this.#become({ kind: "signed-out", reason });
    this.#localRetried = true;
    this.#become({ kind: "starting" });
    await this.#askLocalRun(reason);
  }

  async #askLocalRun(reason: string | null): Promise<void> {
    const token = await this.#deps.fetchLocalToken();
    if (this.state.kind !== "starting") return;
    if (token) this.signIn(token);
    else this.#become({ kind: "signed-out", reason });
  }

  #become(state: SessionState): void {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}
