// A request → who is calling, from its bearer token, or what its door takes where there is none.
import { isApiKey } from "../core/token/api-key.ts";
import { checkSecret, SecretError } from "../core/token/secret.ts";
import { type Caller, foreignIssuerOf, TokenError, verifyToken } from "../core/token/verify.ts";
import type { Role } from "../schemas/token.ts";
import { callerOfKey } from "./api-keys.ts";
import { wallMs } from "./clock.ts";
import { FailedSignIns } from "./failed-sign-ins.ts";
import { verifierOf } from "./issuers.ts";
import { Problem } from "./problem.ts";
import { noteToken } from "./token-note.ts";

/** What tokens are verified with. */
export interface TokenEnv {
  /** Secret of the deployment, which signs: `npx wrangler secret put TOKEN_SECRET`; locally in .dev.vars. */
  TOKEN_SECRET?: string;
  /** The secret before it, or the one to come: what it signed is taken too, while it is there. */
  TOKEN_SECRET_OLD?: string;
  /** Asked for the keys of a tenant's own issuer, and for its API keys. */
  TENANT: DurableObjectNamespace;
}

/** Of whoever brings what is none: a token, or a provisioning key. */
export const failures = new FailedSignIns();

/** Each role can do what the ones before it can; device and gateway stand apart. */
const OPERATOR_ROLES: Role[] = ["viewer", "operator", "admin"];

/**
 * Returns the caller a request's token names, when its role is one of `roles`. A token's age is judged by the wall
 * clock, whatever time a local run plays.
 * @param otherwise says who is calling where there is no token
 * @throws Problem `token_missing`, `token_invalid`, `token_expired` (401), `too_many_failures` (429), `forbidden` (403),
 * `not_configured` (503), and `unavailable` (503) when the keys of a tenant's own issuer cannot be had
 */
export async function authenticate(
  request: Request,
  env: TokenEnv,
  roles: readonly Role[],
  otherwise: () => Promise<Caller | undefined> = async () => undefined,
): Promise<Caller> {
  const secrets = secretsOf(env);
  const token = tokenOf(request);
  let caller: Caller | undefined;
  try {
    caller = token === undefined ? await otherwise() : await callerOf(token, env, secrets);
  } catch (error) {
    if (error instanceof TokenError && error.code === "token_invalid")
      failures.note(request.headers.get("cf-connecting-ip"));
    if (error instanceof TokenError) throw new Problem(error.code, error.message);
    throw error;
  }
  if (caller === undefined)
    throw new Problem("token_missing", "send the header `Authorization: Bearer <token>`");
  if (!roles.includes(caller.role)) {
    throw new Problem(
      "forbidden",
      `this needs a token of role ${roles.join(", ")}; this one is of role ${caller.role}`,
    );
  }
  return caller;
}

async function callerOf(token: string, env: TokenEnv, secrets: readonly string[]): Promise<Caller> {
  if (isApiKey(token)) return await callerOfKey(env.TENANT, token);
  const foreign = foreignIssuerOf(token);
  if (foreign === undefined) return await verifyToken(token, secrets, wallMs());
  return await (await verifierOf(env.TENANT, foreign.tenant, foreign.issuer)).verify(token, wallMs());
}

/**
 * Returns the secrets whose tokens are taken, the one that signs first.
 * @throws Problem `not_configured`: there is none, or one is too short.
 */
export function secretsOf({
  TOKEN_SECRET,
  TOKEN_SECRET_OLD,
}: Omit<TokenEnv, "TENANT">): [string, ...string[]] {
  if (!TOKEN_SECRET) {
    throw new Problem(
      "not_configured",
      "TOKEN_SECRET is not set; run `npx wrangler secret put TOKEN_SECRET`",
    );
  }
  try {
    checkSecret(TOKEN_SECRET, "TOKEN_SECRET");
    if (TOKEN_SECRET_OLD) checkSecret(TOKEN_SECRET_OLD, "TOKEN_SECRET_OLD");
  } catch (error) {
    if (error instanceof SecretError) throw new Problem("not_configured", error.message);
    throw error;
  }
  return TOKEN_SECRET_OLD ? [TOKEN_SECRET, TOKEN_SECRET_OLD] : [TOKEN_SECRET];
}

/** The roles that may do what needs `least`, itself included: an owner's is apart. */
export const atLeast = (least: "viewer" | "operator" | "admin" | "owner"): Role[] =>
  least === "owner" ? [least] : OPERATOR_ROLES.slice(OPERATOR_ROLES.indexOf(least));

/** Returns what the header `Authorization: Bearer …` says. */
export const bearerOf = (request: Request): string | undefined =>
  /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
/** Whether a request has a token, in whichever place: then nothing else is asked who is calling. */
export const hasToken = (request: Request): boolean => tokenOf(request) !== undefined;

/** Browsers cannot set headers on a WebSocket or an EventSource: there, `bearer.<token>` among the subprotocols or `?access_token=` (RFC 6750 §2.3). */
function tokenOf(request: Request): string | undefined {
  const header = bearerOf(request);
  if (header !== undefined) return header;
  const protocol = (request.headers.get("sec-websocket-protocol") ?? "")
    .split(",")
    .map((text) => text.trim())
    .find((text) => text.startsWith("bearer."));
  if (protocol !== undefined) return protocol.slice("bearer.".length);
  return new URL(request.url).searchParams.get("access_token") ?? undefined;
}

/**
 * Returns the request as an object may see it: without the token, in whichever of the three places it was, and with a
 * note of its times and id, by which the object knows when it is void. The other subprotocols that the client offers
 * stay, so that one can be agreed on; `method` and body are as they were.
 */
export function withoutToken(request: Request, caller: Caller): Request {
  const headers = new Headers(request.headers);
  for (const name of ["authorization", "cookie", "cf-access-jwt-assertion"]) headers.delete(name);
  const offered = (headers.get("sec-websocket-protocol") ?? "").split(",").map((text) => text.trim());
  const left = offered.filter((text) => text !== "" && !text.startsWith("bearer."));
  if (left.length > 0) headers.set("sec-websocket-protocol", left.join(", "));
  else headers.delete("sec-websocket-protocol");
  noteToken(headers, caller);
  const url = new URL(request.url);
  url.searchParams.delete("access_token");
  return new Request(url, new Request(request, { headers }));
}
