// Error codes → RFC 9457 problem documents.
import { PROBLEM_STATUS, type ProblemCode, type ReadingProblem } from "../schemas/codes.ts";
import { missingMigration } from "./missing-migration.ts";

const TITLES: Partial<Record<ProblemCode, string>> = {
  malformed_json: "The body is not JSON",
  token_missing: "A token is needed",
  token_invalid: "The token is not valid",
  token_expired: "The token has expired",
  token_revoked: "The token was revoked",
  forbidden: "The token's role does not allow this",
  device_mismatch: "The token speaks for another device",
  payload_too_large: "The body is too large",
  unsupported_media_type: "The content type is not supported",
  device_not_found: "No such device",
  token_not_found: "No such token",
  provisioning_key_not_found: "No such provisioning key",
  key_used_up: "The provisioning key is used up",
  already_claimed: "The device has its token",
  too_many_failures: "Too many tokens that are none",
  rate_limited: "Too much in too short a time",
  unavailable: "Not available right now; try again",
  not_configured: "The deployment is not set up",
  migrations_missing: "The database's tables are missing or old",
};

/** What else a problem says. */
export interface ProblemOptions {
  problems?: ReadingProblem[];
  /** When the same may be sent again: of a problem that time mends. */
  retryAfterMs?: number;
}

/** A request that ends in a problem document; thrown anywhere below a Worker's `fetch`. */
export class Problem extends Error {
  override name = "Problem";
  readonly code: ProblemCode;
  readonly problems: ReadingProblem[] | undefined;
  readonly retryAfterMs: number | undefined;
  constructor(code: ProblemCode, detail: string, { problems, retryAfterMs }: ProblemOptions = {}) {
    super(detail);
    this.code = code;
    this.problems = problems;
    this.retryAfterMs = retryAfterMs;
  }

  /** The HTTP status of the problem's code. */
  get status(): number {
    return PROBLEM_STATUS[this.code];
  }

  /**
   * Returns the problem document as a response; a 429 and a 503 say when to try again.
   * @param members further members of the document, as RFC 9457 §3.2 allows
   */
  toResponse(members: object = {}): Response {
    const { code, status, message, problems, retryAfterMs } = this;
    const title = TITLES[code] ?? code.replaceAll("_", " ");
    const body = {
      type: `urn:telltale:problem:${code}`,
      title,
      status,
      code,
      detail: message,
      problems,
      retryAfterMs,
      ...members,
    };
    const headers: Record<string, string> = { "content-type": "application/problem+json" };
    if (status === 503) headers["retry-after"] = code === "unavailable" ? "2" : "60"; // the others wait for a person
    if (retryAfterMs !== undefined) headers["retry-after"] = retryAfterOf(retryAfterMs);
    if (status === 401) headers["www-authenticate"] = 'Bearer realm="telltale"';
    return new Response(JSON.stringify(body), { status, headers });
  }
}

/** Returns the problem of a token that was revoked. */
export const revokedProblem = () =>
  new Problem("token_revoked", "the token was revoked; ask whoever administers the tenant for a new one");

/** Returns the `Retry-After` of a time in ms: whole seconds, one at least. */
export const retryAfterOf = (retryAfterMs: number) => String(Math.max(1, Math.ceil(retryAfterMs / 1000)));

/**
 * Returns the answer to a request in which `error` was thrown: a Problem's own; 503 for a missing migration or an
 * object that is away; 500 for anything else, which is logged.
 */
export function problemResponse(error: unknown): Response {
  if (error instanceof Problem) return error.toResponse();
  const missing = missingMigration(error);
  if (missing !== undefined) return new Problem("migrations_missing", missing).toResponse();
  const { retryable, overloaded, message } = error as {
    retryable?: boolean;
    overloaded?: boolean;
    message?: string;
  };
  if (retryable || overloaded) {
    return new Problem(
      "unavailable",
      `a device's object is away (${message}); send the same again`,
    ).toResponse();
  }
  console.error("unexpected error", error);
  return new Problem(
    "internal",
    "an unexpected error, noted in the log; sending the same again is safe",
  ).toResponse();
}
