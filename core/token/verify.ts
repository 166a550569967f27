// A token → who is calling, or why not. Needs no look-up: the signature is the proof.
import { errors, jwtVerify } from "jose";
import { NAME_PATTERN } from "../../schemas/limits.ts";
import type { Role } from "../../schemas/token.ts";

const ROLES: readonly string[] = ["device", "gateway", "viewer", "operator", "admin"] satisfies Role[];

export interface Caller {
  tenant: string;
  role: Role;
  /** The one device a device token speaks for. */
  device?: string;
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
let cachedKey: { secret: string; key: Promise<Key> } | undefined;

/** The imported key of the last secret seen: importing costs as much as verifying, and a deployment has one secret. */
function importedKey(secret: string): Promise<Key> {
  if (cachedKey?.secret !== secret) {
    const key = crypto.subtle.importKey(
      "raw",
      new TextEncoder().encode(secret),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["verify"],
    );
    cachedKey = { secret, key };
  }
  return cachedKey.key;
}

/**
 * Verifies signature (HS256), issuer, expiry (no leeway) and the shape of the claims.
 * @throws TokenError `token_expired` or `token_invalid`.
 */
export async function verifyToken(token: string, secret: string, nowMs: number): Promise<Caller> {
  try {
    const { payload } = await jwtVerify(token, await importedKey(secret), {
      issuer: "telltale",
      algorithms: ["HS256"],
      currentDate: new Date(nowMs),
      requiredClaims: ["exp", "tenant", "role"],
    });
    return callerOf(payload);
  } catch (error) {
    if (error instanceof TokenError) throw error;
    if (error instanceof errors.JWTExpired) {
      throw new TokenError("token_expired", `the token expired at ${isoOf(error.payload.exp)}; ask for a new one`);
    }
    throw new TokenError("token_invalid", "the token is not one this deployment signed; check it was copied whole");
  }
}

function callerOf(payload: Record<string, unknown>): Caller {
  const { tenant, role, device, exp } = payload;
  const isName = (value: unknown): value is string => typeof value === "string" && NAME_PATTERN.test(value);
  if (!isName(tenant) || typeof role !== "string" || !ROLES.includes(role) || typeof exp !== "number") {
    throw new TokenError("token_invalid", "the token's claims lack a tenant or a known role");
  }
  if ((role === "device") !== isName(device)) {
    throw new TokenError("token_invalid", "a device token names one device and no other token does");
  }
  return { tenant, role: role as Role, device: device as string | undefined, expiresAt: exp * 1000 };
}

const isoOf = (seconds: number | undefined) =>
  seconds === undefined ? "an unknown time" : new Date(seconds * 1000).toISOString();
