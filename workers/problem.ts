// Error codes → RFC 9457 problem documents.
import { PROBLEM_STATUS, type ProblemCode, type ReadingProblem } from "../schemas/codes.ts";

const TITLES: Partial<Record<ProblemCode, string>> = {
  malformed_json: "The body is not JSON",
  token_missing: "A token is needed",
  token_invalid: "The token is not valid",
  token_expired: "The token has expired",
  forbidden: "The token's role does not allow this",
  device_mismatch: "The token speaks for another device",
  payload_too_large: "The body is too large",
  unsupported_media_type: "The content type is not supported",
  device_not_found: "No such device",
  zone_not_found: "No such zone",
  unavailable: "Not available right now; try again",
  not_configured: "The deployment is not set up",
};

/** A request that ends in a problem document; thrown anywhere below a Worker's `fetch`. */
export class Problem extends Error {
  override name = "Problem";
  readonly code: ProblemCode;
  readonly problems: ReadingProblem[] | undefined;
  constructor(code: ProblemCode, detail: string, problems?: ReadingProblem[]) {
    super(detail);
    this.code = code;
    this.problems = problems;
  }

  get status(): number {
    return PROBLEM_STATUS[this.code];
  }

  /** @param members further members of the document, as RFC 9457 §3.2 allows. */
  toResponse(members: object = {}): Response {
    const { code, status, message, problems } = this;
    const title = TITLES[code] ?? code.replaceAll("_", " ");
    const body = {
      type: `urn:telltale:problem:${code}`,
      title,
      status,
      code,
      detail: message,
      problems,
      ...members,
    };
    const headers: Record<string, string> = { "content-type": "application/problem+json" };
    if (status === 503) headers["retry-after"] = "2";
    if (status === 401) headers["www-authenticate"] = 'Bearer realm="telltale"';
    return new Response(JSON.stringify(body), { status, headers });
  }
}

/** Whatever was thrown, as an answer. An object that is away is 503, for the caller may try again; the rest is 500 and logged. */
export function problemResponse(error: unknown): Response {
  if (error instanceof Problem) return error.toResponse();
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
