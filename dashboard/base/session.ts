// Where the token comes from and when it is forgotten: the address, the browser's memory, the local run, or the form.

export type SessionState =
  | { kind: "starting" }
  | { kind: "signed-in"; token: string; isLocal: boolean }
  /** `token`: what was given and not taken, for the form to show again. `canStay`: another one is remembered. */
  | { kind: "signed-out"; reason: string | null; token: string; canStay?: true };

const ANOTHER =
  "This link brings another token than the one you are signed in with. Sign in with it only if you know where it is from.";

export interface SessionDeps {
  /** The token in the address, taken out of the address bar as it is read. */
  takeFragmentToken(): string | null;
  recall(): string | null;
  remember(token: string | null): void;
  /** A token that nobody has to give: a local run's, or of whom Cloudflare Access signed in; null where there is neither. */
  fetchLocalToken(): Promise<string | null>;
  /** Asks the server: null when it takes the token, else what is wrong with it. */
  refusalOf(token: string): Promise<string | null>;
}

/**
 * A token that a person gives is checked before anything is shown, and what is refused goes to the form with the reason. The
 * local run's own token is asked for only where nobody gave one, and is not remembered: it is there again when it is needed.
 */
export class Session {
  state: SessionState = { kind: "starting" };
  readonly #deps: SessionDeps;
  readonly #listeners = new Set<() => void>();
  /** The local run is asked again once after a refusal of its own token, not for ever. */
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
    const given = this.#deps.takeFragmentToken();
    if (given !== null) return await this.offer(given);
    await this.resume();
  }

  /**
   * What came with a link: taken as what a person gave, unless another token is remembered. Who follows a link did not ask
   * to be somebody else: then the form shows it, and the remembered one stays until a person decides.
   */
  async offer(token: string): Promise<void> {
    const remembered = this.#deps.recall();
    if (remembered === null || remembered === token) return await this.signIn(token);
    this.#become({ kind: "signed-out", reason: ANOTHER, token, canStay: true });
  }

  /** With the remembered token, else the local run's own. */
  async resume(): Promise<void> {
    const token = this.#deps.recall();
    // It was checked when it was given; if it has expired since, the first answer says so.
    if (token !== null) return this.#become({ kind: "signed-in", token, isLocal: false });
    await this.signInLocally();
  }

  /** What a person gave: taken if the server takes it, else the form says why. */
  async signIn(token: string): Promise<void> {
    const reason = await this.#deps.refusalOf(token);
    if (reason !== null) return this.#become({ kind: "signed-out", reason, token });
    this.#deps.remember(token);
    this.#become({ kind: "signed-in", token, isLocal: false });
  }

  /** With the local run's own token; where there is none, the form. */
  async signInLocally(reason: string | null = null): Promise<void> {
    const token = await this.#deps.fetchLocalToken();
    if (token === null) this.#become({ kind: "signed-out", reason, token: "" });
    else this.#become({ kind: "signed-in", token, isLocal: true });
  }

  signOut(): void {
    this.#deps.remember(null);
    this.#become({ kind: "signed-out", reason: null, token: "" });
  }

  /** The server accepted the token: a later refusal may ask the local run again. */
  accepted(): void {
    this.#localRetried = false;
  }

  /** The server refused `token` with a 401. Refusals of a token no longer in use change nothing. */
  async refused(token: string, reason: string): Promise<void> {
    const { state } = this;
    if (state.kind !== "signed-in" || state.token !== token) return;
    if (!state.isLocal) {
      this.#deps.remember(null);
      return this.#become({ kind: "signed-out", reason, token });
    }
    if (this.#localRetried) return this.#become({ kind: "signed-out", reason, token: "" });
    this.#localRetried = true;
    this.#become({ kind: "starting" });
    await this.signInLocally(reason);
  }

  #become(state: SessionState): void {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}
