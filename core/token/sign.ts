// Claims → a signed token (JWT, HS256, RFC 7519).
import { SignJWT } from "jose";
import type { Role } from "../../schemas/token.ts";
import { checkSecret, kidOf } from "./secret.ts";
import { OWN_ISSUER } from "./verify.ts";

/** Whom a token speaks for, and how long. */
export interface TokenSubject {
  /** Required for every role but `owner`, absent for that. */
  tenant?: string | undefined;
  role: Role;
  /** Required for role `device`, absent otherwise. */
  device?: string;
  /** What its bearer is called: what they do is noted under it. */
  sub?: string | undefined;
  /** By which it may be revoked alone, where it has one. */
  id?: string | undefined;
  ttlSeconds: number;
}

/**
 * Signs a token that `verifyToken` accepts with the same secret from `nowMs` until `nowMs + ttlSeconds`, for 3,650 days at most.
 * @throws SecretError when the secret is too short.
 * @example await signToken({ tenant: "demo", role: "device", device: "pump-1", ttlSeconds: 3600 }, secret, Date.now())
 */
export async function signToken(subject: TokenSubject, secret: string, nowMs: number): Promise<string> {
  checkSecret(secret, "the secret");
  const { tenant, role, device, sub, id, ttlSeconds } = subject;
  const named = { ...(device === undefined ? {} : { device }), ...(sub === undefined ? {} : { sub }) };
  const identified = id === undefined ? named : { ...named, jti: id };
  return await new SignJWT({ ...(tenant !== undefined && { tenant }), role, ...identified })
    .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: await kidOf(secret) })
    .setIssuer(OWN_ISSUER)
    .setIssuedAt(nowMs / 1000) // to the millisecond, as RFC 7519 allows: what is issued right after a revocation holds
    .setExpirationTime(Math.floor(nowMs / 1000) + ttlSeconds)
    .sign(new TextEncoder().encode(secret));
}
