// Claims → a signed token (JWT, HS256, RFC 7519).
import { SignJWT } from "jose";
import type { Role } from "../../schemas/token.ts";

export interface TokenSubject {
  tenant: string;
  role: Role;
  /** Required for role `device`, absent otherwise. */
  device?: string;
  /** What its bearer is called: what they do is noted under it. */
  sub?: string | undefined;
  ttlSeconds: number;
}

/**
 * Signs a token that `verifyToken` accepts with the same secret from `nowMs` until `nowMs + ttlSeconds`.
 * @example await signToken({ tenant: "demo", role: "device", device: "pump-1", ttlSeconds: 3600 }, secret, Date.now())
 */
export async function signToken(subject: TokenSubject, secret: string, nowMs: number): Promise<string> {
  const { tenant, role, device, sub, ttlSeconds } = subject;
  const issuedAtSeconds = Math.floor(nowMs / 1000);
  const named = { ...(device === undefined ? {} : { device }), ...(sub === undefined ? {} : { sub }) };
  return await new SignJWT({ tenant, role, ...named })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setIssuer("telltale")
    .setIssuedAt(issuedAtSeconds)
    .setExpirationTime(issuedAtSeconds + ttlSeconds)
    .sign(new TextEncoder().encode(secret));
}
