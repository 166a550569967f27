// A token → who is calling, or why not. Needs no look-up: the signature is the proof.
import { errors, jwtVerify } from "jose";
import { NAME_PATTERN } from "../../schemas/limits.ts";
import type { Role } from "../../schemas/token.ts";

const ROLES: readonly string[] = ["device", "gateway", "viewer", "operator", "admin"] satisfies Role[];

/** As the schema of the claims has it, which the hot path does without. */
const SUB_LENGTH_MAX = 200;

export interface Caller {
  tenant: string;
  role: Role;
  /** The one device a device token speaks for. */
  device?: string;
  /** What its bearer is called. */
  sub?: string;
  expiresAt: number;
}

/** `code` is `token_expired` or `token_invalid`, both HTTP 401. */
export class TokenError extends Error {
  override name = "TokenError";
  readonly code: "token_expired" | "token_invalid";
  constructor(code: "token_expired" | "token_invalid", message: string) {
    super(message);
    this.code = code;
  }
}

type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** What one secret has shown to be good: a deployment has one, and its devices send the same token for months. */
interface Keyring {
  secret: string;
  key: Promise<Key>;
  callers: Map<string, Caller>;
}

/** Tokens remembered as verified, emptied when full: an isolate keeps some 500 KB of them at most. */
const CALLERS_MAX = 1_000;

let keyring: Keyring | undefined;

function keyringOf(secret: string): Keyring {
  if (keyring?.secret !== secret) {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = crypto.subtle.importKey("raw", new TextEncoder().encode(secret), algorithm, false, [
      "verify",
    ]);
    keyring = { secret, key, callers: new Map() };
  }
  return keyring;
}

/**
 * Verifies signature (HS256), issuer, expiry (no leeway) and the shape of the claims. A token verified before costs a
 * look-up; its expiry is judged each time.
 * @throws TokenError `token_expired` or `token_invalid`.
 */
export async function verifyToken(token: string, secret: string, nowMs: number): Promise<Caller> {
  const { key, callers } = keyringOf(secret);
  let caller = callers.get(token);
  if (caller === undefined) {
    caller = callerOf(await verifiedClaims(token, await key, nowMs));
    if (callers.size >= CALLERS_MAX) callers.clear();
    callers.set(token, caller);
  }
  if (caller.expiresAt <= nowMs) throw expired(caller.expiresAt);
  return caller;
}

async function verifiedClaims(token: string, key: Key, nowMs: number): Promise<Record<string, unknown>> {
  try {
    const { payload } = await jwtVerify(token, key, {
      issuer: "telltale",
      algorithms: ["HS256"],
      currentDate: new Date(nowMs),
      requiredClaims: ["exp", "tenant", "role"],
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw expired(Number(error.payload.exp) * 1000);
    throw new TokenError(
      "token_invalid",
      "the token is not one this deployment signed; check it was copied whole",
    );
  }
}

const expired = (expiresAt: number) =>
  new TokenError(
    "token_expired",
    `the token expired at ${new Date(expiresAt).toISOString()}; ask for a new one`,
  );

function callerOf(payload: Record<string, unknown>): Caller {
  const { tenant, role, device, sub, exp } = payload;
  const isName = (value: unknown): value is string => typeof value === "string" && NAME_PATTERN.test(value);
  if (!isName(tenant) || typeof role !== "string" || !ROLES.includes(role) || typeof exp !== "number") {
    throw new TokenError("token_invalid", "the token's claims lack a tenant or a known role");
  }
  if ((role === "device") !== isName(device)) {
    throw new TokenError("token_invalid", "a device token names one device and no other token does");
  }
  if (sub !== undefined && (typeof sub !== "string" || sub.length < 1 || sub.length > SUB_LENGTH_MAX)) {
    throw new TokenError(
      "token_invalid",
      `the token's "sub" is no name of 1 to ${SUB_LENGTH_MAX} characters`,
    );
  }
  const named = { ...(isName(device) ? { device } : {}), ...(sub === undefined ? {} : { sub }) };
  return { tenant, role: role as Role, ...named, expiresAt: exp * 1000 };
}
