// A request → who is calling, from its bearer token alone.
import { type Caller, TokenError, verifyToken } from "../core/token/verify.ts";
import type { Role } from "../schemas/token.ts";
import { wallMs } from "./clock.ts";
import { Problem } from "./problem.ts";

export interface TokenEnv {
  /** Secret of the deployment: `npx wrangler secret put TOKEN_SECRET`; locally in .dev.vars. */
  TOKEN_SECRET?: string;
}

/** Each role can do what the ones before it can; device and gateway stand apart. */
const OPERATOR_ROLES: Role[] = ["viewer", "operator", "admin"];

/**
 * The caller, when its role is one of `roles`. A token's age is judged by the wall clock, whatever time a local run plays.
 * @throws Problem `token_missing`, `token_invalid`, `token_expired` (401), `forbidden` (403), `not_configured` (503)
 */
export async function authenticate(request: Request, env: TokenEnv, roles: readonly Role[]): Promise<Caller> {
  if (!env.TOKEN_SECRET) {
    throw new Problem(
      "not_configured",
      "TOKEN_SECRET is not set; run `npx wrangler secret put TOKEN_SECRET`",
    );
  }
  const token = tokenOf(request);
  if (token === undefined)
    throw new Problem("token_missing", "send the header `Authorization: Bearer <token>`");
  let caller: Caller;
  try {
    caller = await verifyToken(token, env.TOKEN_SECRET, wallMs());
  } catch (error) {
    if (error instanceof TokenError) throw new Problem(error.code, error.message);
    throw error;
  }
  if (!roles.includes(caller.role)) {
    throw new Problem(
      "forbidden",
      `this needs a token of role ${roles.join(", ")}; this one is of role ${caller.role}`,
    );
  }
  return caller;
}

/** The roles that may do what needs `least`. */
export const atLeast = (least: "viewer" | "operator" | "admin") =>
  OPERATOR_ROLES.slice(OPERATOR_ROLES.indexOf(least));

/** Browsers cannot set headers on a WebSocket or an EventSource: there, `bearer.<token>` among the subprotocols or `?access_token=` (RFC 6750 §2.3). */
function tokenOf(request: Request): string | undefined {
  const header = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (header !== undefined) return header;
  const protocol = (request.headers.get("sec-websocket-protocol") ?? "")
    .split(",")
    .map((text) => text.trim())
    .find((text) => text.startsWith("bearer."));
  if (protocol !== undefined) return protocol.slice("bearer.".length);
  return new URL(request.url).searchParams.get("access_token") ?? undefined;
}
