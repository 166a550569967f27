// The tokens that the clients of a round hold: which are good, and which are known to be void.
import { decodeJwt, decodeProtectedHeader } from "jose";
import { kidOf } from "../../core/token/secret.ts";
import type { Role } from "../../schemas/token.ts";
import type { TenantClient } from "../flow/tenant-client.ts";

/** "doubtful": somebody voids it, or may have, and it may be taken or refused. */
export type Standing = "good" | "doubtful" | "void";

const REFUSALS_MAX = 10;

/** A token, whose it is, and how it stands. */
export class Credential {
  standing: Standing = "good";
  /** How often it was refused while in doubt. */
  refusals = 0;
  readonly token: string;
  readonly device: string | undefined;
  /** Where it was made by `POST /v1/tokens`. */
  readonly id: string | undefined;
  /** Which secret signed it. */
  readonly kid: string | undefined;
  readonly issuedAtMs: number;

  constructor(token: string) {
    const { device, jti, iat } = decodeJwt<{ device?: string }>(token);
    this.token = token;
    this.device = device;
    this.id = jti;
    this.kid = decodeProtectedHeader(token).kid;
    this.issuedAtMs = iat! * 1_000;
  }
}

export type Fits = (credential: Credential) => boolean;

/** What an act voided; `isCertain` false: some of the program may not know yet. */
export interface Voided {
  fits: Fits;
  isCertain: boolean;
}

/** One who holds a token. */
export interface Holder {
  role: Role;
  device?: string;
  /** Its token is made by `POST /v1/tokens`, and so can be revoked alone. */
  isListed?: boolean;
}

/** Everybody's tokens. A holder keeps one until it is refused, or is void and was tried a while longer. */
export class Credentials {
  readonly #client: TenantClient;
  readonly #held = new Map<Holder, Credential>();
  /** What somebody is about to void: what is issued meanwhile is in doubt too. */
  readonly #doubts = new Set<Fits>();
  /** The one secret whose tokens are taken; undefined: those of two may be. */
  #onlyKid: string | undefined;

  constructor(client: TenantClient) {
    this.#client = client;
  }

  /** The token a holder has, or gets. @throws when it is to be made by a server that is away. */
  async of(holder: Holder): Promise<Credential> {
    const held = this.#held.get(holder);
    if (held !== undefined) return held;
    const doubts = [...this.#doubts];
    const credential = new Credential(await this.#make(holder));
    this.#held.set(holder, credential);
    if ([...doubts, ...this.#doubts].some((fits) => fits(credential))) credential.standing = "doubtful";
    if (this.#onlyKid !== undefined && credential.kid !== this.#onlyKid) credential.standing = "void";
    return credential;
  }

  /** The token a holder has. */
  held(holder: Holder): Credential | undefined {
    return this.#held.get(holder);
  }

  /** The holder lets go of what it has. */
  renew(holder: Holder): void {
    this.#held.delete(holder);
  }

  /** A doubtful one was refused. Its holder keeps it a while, for soon it may be known to be void. */
  refused(holder: Holder): void {
    const held = this.#held.get(holder);
    if (held?.standing === "doubtful" && ++held.refusals >= REFUSALS_MAX) this.#held.delete(holder);
  }

  /** Those that fit are in doubt while `act` is under way, and void from then on where it is certain. */
  async voiding(fits: Fits, act: () => Promise<Voided>): Promise<void> {
    this.#doubts.add(fits);
    const doubted = this.#standing("good").filter(fits);
    for (const credential of doubted) credential.standing = "doubtful";
    try {
      const voided = await act();
      for (const credential of this.#standing("doubtful").filter(fits)) {
        if (!voided.fits(credential)) credential.standing = "good";
        else if (voided.isCertain) credential.standing = "void";
      }
    } finally {
      this.#doubts.delete(fits);
    }
  }

  /** A server that takes tokens of one secret alone is about to start, and no other runs: those of others are void. */
  async keepOnly(secret: string): Promise<void> {
    const kid = await kidOf(secret);
    this.#onlyKid = kid;
    for (const credential of this.#held.values()) if (credential.kid !== kid) credential.standing = "void";
  }

  #standing(standing: Standing): Credential[] {
    return [...this.#held.values()].filter((each) => each.standing === standing);
  }

  async #make({ role, device, isListed }: Holder): Promise<string> {
    if (!isListed) return await this.#client.token(role, device);
    const { status, body } = await this.#client.ask("/v1/tokens", {
      method: "POST",
      token: await this.#client.token("admin"),
      body: JSON.stringify({ role, device, days: 1 }),
      headers: { "content-type": "application/json" },
    });
    if (status === 201) return (body as { tokens: { token: string }[] }).tokens[0]!.token;
    throw new Error(`${status} ${JSON.stringify(body)}`);
  }
}
