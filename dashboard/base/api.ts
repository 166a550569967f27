// Calls to the API: adds the token, turns problem documents into errors, reports a 401 to the session.
import type { ProblemDocument } from "../../schemas/error.ts";
import { refusalInWords, shapeRefusal } from "../session/token-words.ts";
import type { Session } from "./session.ts";

/** `status` 0: no answer came. `retryAfterMs` null: the server named no time. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly retryAfterMs: number | null;

  constructor(message: string, status: number, code: string, retryAfterMs: number | null) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

export class Api {
  readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  /** The JSON answer to `GET path`, trusted to be of the contract's shape. Throws `ApiError`. */
  async get<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
    return await this.#ask<Answer>(path, { signal: signal ?? null });
  }

  /** As `get`, with a body; what is asked is done once, and never tried again by itself. */
  async send<Answer>(method: "POST" | "PUT" | "DELETE", path: string, body?: object): Promise<Answer> {
    if (body === undefined) return await this.#ask<Answer>(path, { method });
    const headers = { "content-type": "application/json" };
    return await this.#ask<Answer>(path, { method, headers, body: JSON.stringify(body) });
  }

  async #ask<Answer>(path: string, { signal, headers, ...init }: RequestInit): Promise<Answer> {
    const token = this.session.token ?? "";
    const response = await fetch(path, {
      ...init,
      headers: { authorization: `Bearer ${token}`, accept: "application/json", ...headers },
      signal: signal ?? null,
    }).catch((error: unknown) => {
      if (signal?.aborted) throw error;
      throw new ApiError("The server cannot be reached.", 0, "unreachable", null);
    });
    if (response.ok) {
      this.session.accepted();
      return (await response.json()) as Answer;
    }
    const error = await problemOf(response);
    if (response.status === 401) {
      await this.session.refused(token, refusalInWords(token, error, Date.now()));
    }
    throw error;
  }
}

/** Whatever was thrown, as an `ApiError`. */
export function asApiError(thrown: unknown): ApiError {
  return thrown instanceof ApiError ? thrown : new ApiError(String(thrown), 0, "unknown", null);
}

/** Asks the server whose the token is; null: it may look. Whatever goes wrong is said for people. */
export async function refusalOf(token: string): Promise<string | null> {
  const reason = shapeRefusal(token);
  if (reason !== null) return reason;
  const headers = { authorization: `Bearer ${token}`, accept: "application/json" };
  const response = await fetch("/v1/session", { headers }).catch(() => null);
  if (response?.ok) return null;
  const error =
    response === null ? new ApiError("no answer", 0, "unreachable", null) : await problemOf(response);
  return refusalInWords(token, error, Date.now());
}

/** A token that nobody has to paste: of the local run, else of whom Cloudflare Access signed in; null where there is neither. */
export const fetchLocalToken = async (): Promise<string | null> =>
  (await fetchToken("GET", "/local/session")) ?? (await fetchToken("POST", "/v1/session"));

async function fetchToken(method: "GET" | "POST", path: string): Promise<string | null> {
  try {
    const response = await fetch(path, { method, headers: { accept: "application/json" } });
    if (!response.ok) return null;
    const { token } = (await response.json()) as { token?: unknown };
    return typeof token === "string" ? token : null;
  } catch {
    return null;
  }
}

async function problemOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => ({}))) as Partial<ProblemDocument>;
  const message = problem.detail ?? problem.title ?? `The server answered ${response.status}.`;
  const retryAfterSeconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfterMs = Number.isFinite(retryAfterSeconds) ? retryAfterSeconds * 1000 : null;
  return new ApiError(message, response.status, problem.code ?? "unknown", retryAfterMs);
}
