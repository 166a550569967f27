// Whose token opened a socket or stream → a header of the request that its object gets, in place of the token itself.
import type { Caller } from "../core/token/verify.ts";
import type { TokenLife } from "../schemas/token.ts";

/** Only our own Workers reach an object, and they set it, whatever the client sent. */
const HEADER = "telltale-token";

/** Returns what a token is judged by after its signature. */
export const lifeOf = ({ issuedAtMs, expiresAt, id }: Caller): TokenLife => ({
  issuedAtMs,
  expiresAt,
  ...(id === undefined ? {} : { id }),
});

/** Notes in a request's headers when the caller's token was issued and expires. */
export const noteToken = (headers: Headers, caller: Caller): void =>
  headers.set(HEADER, encodeURIComponent(JSON.stringify(lifeOf(caller))));

/** Returns what `noteToken` noted; undefined: nothing. */
export function notedToken(request: Request): TokenLife | undefined {
  const noted = request.headers.get(HEADER);
  return noted === null ? undefined : (JSON.parse(decodeURIComponent(noted)) as TokenLife);
}

/** A socket of before tokens were noted: older than any revocation. */
export const UNKNOWN: TokenLife = { issuedAtMs: 1, expiresAt: Number.POSITIVE_INFINITY };

/** The code by which a socket is closed when its token is void; the reason is one of those below. */
export const TOKEN_ENDED = 4401;
/** The protocol takes 123 bytes (RFC 6455 §5.5). */
export const REVOKED = "token_revoked: connect again with a new token and resend what was not acknowledged";
export const EXPIRED = "token_expired: connect again with a new token and resend what was not acknowledged";
