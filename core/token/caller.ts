// The claims of a token whose signature is good → whom it speaks for, or what is wrong with it.
import { DEPLOYMENT, ISSUED_AHEAD_MS_MAX, NAME_PATTERN, TOKEN_SECONDS_MAX } from "../../schemas/limits.ts";
import { oddCharacter } from "../../schemas/one-line.ts";
import type { Role } from "../../schemas/token.ts";

const ROLES: readonly string[] = [
  "device",
  "gateway",
  "viewer",
  "operator",
  "admin",
  "owner",
] satisfies Role[];

/** As the schema of the claims has it, which the hot path does without. */
export const SUB_LENGTH_MAX = 200;
const ID_LENGTH_MAX = 200;

/** Whom a verified token speaks for, since when and until when, epoch ms. */
export interface Caller {
  /** Of an owner: DEPLOYMENT, which is no tenant's name. */
  tenant: string;
  role: Role;
  /** The one device a device token speaks for. */
  device?: string;
  /** What its bearer is called. */
  sub?: string;
  /** The id of the token, where it has one. */
  id?: string;
  issuedAtMs: number;
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

/** Returns the error of a token that expired at an instant, epoch ms. */
export const expired = (expiresAt: number) =>
  new TokenError(
    "token_expired",
    `the token expired at ${new Date(expiresAt).toISOString()}; ask for a new one`,
  );

/** Returns the error of a token that is not valid, and why. */
export const invalid = (why: string) => new TokenError("token_invalid", why);

const isName = (value: unknown): value is string => typeof value === "string" && NAME_PATTERN.test(value);

/** Returns the caller that claims name. @throws TokenError `token_invalid`. */
export function callerOf(payload: Record<string, unknown>): Caller {
  const { role, device, sub, jti, iat, exp } = payload;
  const tenant = role === "owner" ? DEPLOYMENT : payload.tenant;
  const isWhole = role === "owner" ? payload.tenant === undefined : isName(tenant);
  if (!isWhole || typeof role !== "string" || !ROLES.includes(role) || typeof exp !== "number")
    throw invalid("the token's claims lack a tenant or a known role, or name a tenant for an owner");
  if (typeof iat !== "number")
    throw invalid('the token lacks "iat", when it was issued: by that it is revoked');
  if ((role === "device") !== isName(device))
    throw invalid("a device token names one device and no other token does");
  if (!isShort(sub, SUB_LENGTH_MAX))
    throw invalid(`the token's "sub" is no name of 1 to ${SUB_LENGTH_MAX} characters`);
  const odd = sub === undefined ? undefined : oddCharacter(sub);
  if (odd !== undefined) throw invalid(`the token's "sub" has ${odd}: a name is one line of visible text`);
  if (!isShort(jti, ID_LENGTH_MAX))
    throw invalid(`the token's "jti" is no id of 1 to ${ID_LENGTH_MAX} characters`);
  if (exp - iat > TOKEN_SECONDS_MAX) {
    const days = `lasts ${Math.ceil((exp - iat) / 86_400)} days, and may last ${TOKEN_SECONDS_MAX / 86_400}`;
    throw invalid(`the token ${days}; ask for one that expires sooner`);
  }
  return {
    tenant: tenant as string,
    role: role as Role,
    ...(isName(device) ? { device } : {}),
    ...(sub === undefined ? {} : { sub }),
    ...(jti === undefined ? {} : { id: jti }),
    issuedAtMs: Math.round(iat * 1000),
    expiresAt: exp * 1000,
  };
}

const isShort = (text: unknown, most: number): text is string | undefined =>
  text === undefined || (typeof text === "string" && text.length >= 1 && text.length <= most);

/** Checks a caller's token against the clock. @throws TokenError `token_expired`, or `token_invalid`: it is of the future. */
export function checkTime({ issuedAtMs, expiresAt }: Caller, nowMs: number): void {
  if (expiresAt <= nowMs) throw expired(expiresAt);
  if (issuedAtMs <= nowMs + ISSUED_AHEAD_MS_MAX) return;
  const at = new Date(Math.min(issuedAtMs, DATE_MS_MAX)).toISOString();
  throw invalid(
    `the token says it was issued at ${at}, which is yet to come; set the clock of whoever signs it`,
  );
}

/** The last instant that a Date holds (ECMAScript §21.4.1.1). */
const DATE_MS_MAX = 8.64e15;
