// A token → who is calling, or why not. Needs no look-up: the signature is the proof.
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
} from "jose";
import { NAME_PATTERN } from "../../schemas/limits.ts";
import type { Issuer } from "../../schemas/token.ts";
import { type Caller, callerOf, checkTime, expired, invalid, TokenError } from "./caller.ts";
import { kidOf } from "./secret.ts";

export { type Caller, TokenError } from "./caller.ts";

/** The `iss` of the tokens that a deployment signs itself. */
export const OWN_ISSUER = "telltale";

/** Tokens remembered as verified, emptied when full: a verifier keeps some 500 KB of them at most. */
const CALLERS_MAX = 1_000;

/** Whose tokens a verifier takes: their keys, and what their claims have to say. */
interface Trust {
  issuer: string;
  algorithms: string[];
  /** Verifies the signature by the right key. @throws what jose throws. */
  verify(token: string, options: JWTVerifyOptions): Promise<JWTPayload>;
  /** @throws TokenError for a token that this issuer may not sign. */
  check?(payload: JWTPayload, caller: Caller): void;
}

/** Verifies tokens of one issuer, and remembers those that were good: a device sends the same token for months. */
export class TokenVerifier {
  readonly #trust: Trust;
  readonly #callers = new Map<string, Caller>();

  constructor(trust: Trust) {
    this.#trust = trust;
  }

  /**
   * Verifies signature, issuer and the shape of the claims. A token verified before costs a look-up; its times are judged
   * each time, without leeway.
   * @throws TokenError `token_expired` or `token_invalid`.
   */
  async verify(token: string, nowMs: number): Promise<Caller> {
    let caller = this.#callers.get(token);
    if (caller === undefined) {
      const payload = await this.#claims(token, nowMs);
      caller = callerOf(payload);
      this.#trust.check?.(payload, caller);
      if (this.#callers.size >= CALLERS_MAX) this.#callers.clear();
      this.#callers.set(token, caller);
    }
    checkTime(caller, nowMs);
    return caller;
  }

  async #claims(token: string, nowMs: number): Promise<JWTPayload> {
    const { issuer, algorithms } = this.#trust;
    try {
      return await this.#trust.verify(token, {
        issuer,
        algorithms,
        currentDate: new Date(nowMs),
        requiredClaims: ["exp", "role"],
      });
    } catch (error) {
      if (error instanceof TokenError) throw error;
      if (error instanceof errors.JWTExpired) throw expired(Number(error.payload.exp) * 1000);
      const who = issuer === OWN_ISSUER ? "this deployment" : `the issuer ${issuer}, as the tenant knows it,`;
      throw invalid(`the token is not one ${who} signed; check it was copied whole`);
    }
  }
}

// ---- tokens of the deployment --------------------------------------------------------------------------------------

let own: { secrets: string; verifier: TokenVerifier } | undefined;

/**
 * Verifies a token that the deployment signed (HS256) with one of its secrets: the one the token names by its `kid`, and
 * for a token of before there were any, whichever fits.
 * @throws TokenError `token_expired` or `token_invalid`.
 */
export async function verifyToken(token: string, secrets: readonly string[], nowMs: number): Promise<Caller> {
  const known = JSON.stringify(secrets);
  if (own?.secrets !== known) own = { secrets: known, verifier: new TokenVerifier(trustIn(secrets)) };
  return await own.verifier.verify(token, nowMs);
}

function trustIn(secrets: readonly string[]): Trust {
  const keys = Promise.all(
    secrets.map(async (secret) => ({ kid: await kidOf(secret), key: new TextEncoder().encode(secret) })),
  );
  return {
    issuer: OWN_ISSUER,
    algorithms: ["HS256"],
    verify: async (token, options) => {
      const { kid } = decodeProtectedHeader(token);
      const fitting = (await keys).filter((known) => kid === undefined || kid === known.kid);
      if (fitting.length === 0)
        throw invalid(`the token is signed by key ${shown(kid)}, which was replaced; ask for a new one`);
      return await firstOf(
        fitting.map(({ key }) => key),
        async (key) => (await jwtVerify(token, key, options)).payload,
      );
    },
  };
}

const SHOWN_MAX = 64;
const shown = (text: unknown) => JSON.stringify(String(text).slice(0, SHOWN_MAX));

/** What the first key gives that fits the signature. @throws what the last key that did not fit threw. */
async function firstOf<K, T>(
  keys: Iterable<K> | AsyncIterable<K>,
  verify: (key: K) => Promise<T>,
): Promise<T> {
  let failure: unknown = new errors.JWSSignatureVerificationFailed();
  for await (const key of keys) {
    try {
      return await verify(key);
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      failure = error;
    }
  }
  throw failure;
}

// ---- tokens of a tenant's own issuer -------------------------------------------------------------------------------

/**
 * Returns the issuer and tenant that a token names, when it is not the deployment's; undefined: it is ours, or no token.
 * Nothing is proven by it: it says whom to ask for keys.
 */
export function foreignIssuerOf(token: string): { issuer: string; tenant: string } | undefined {
  let payload: JWTPayload;
  try {
    payload = decodeJwt(token);
  } catch {
    return undefined;
  }
  const { iss, tenant } = payload;
  if (typeof iss !== "string" || iss === OWN_ISSUER) return undefined;
  return typeof tenant === "string" && NAME_PATTERN.test(tenant) ? { issuer: iss, tenant } : undefined;
}

/**
 * Returns what verifies the tokens of a tenant's issuer (ES256, EdDSA): for devices of that tenant, and for nobody else.
 * A key that several fit, for want of a `kid`, is found by trying.
 */
export function issuerVerifier(tenant: string, { issuer, jwks }: Issuer): TokenVerifier {
  const keys = createLocalJWKSet(jwks as Parameters<typeof createLocalJWKSet>[0]);
  return new TokenVerifier({
    issuer,
    algorithms: ["ES256", "EdDSA", "Ed25519"],
    verify: async (token, options) => {
      try {
        return (await jwtVerify(token, keys, options)).payload;
      } catch (error) {
        if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
        return await firstOf(error, async (key) => (await jwtVerify(token, key, options)).payload);
      }
    },
    check: ({ aud }, caller) => {
      if (caller.tenant !== tenant) throw invalid(`the issuer ${issuer} speaks for ${tenant} only`);
      if (caller.role !== "device")
        throw invalid(
          `the issuer ${issuer} signs tokens for devices; people's and gateways' are the deployment's`,
        );
      if (aud !== undefined && ![aud].flat().includes(OWN_ISSUER))
        throw invalid(`the token's "aud" is for others; it has to be "${OWN_ISSUER}", or absent`);
    },
  });
}
