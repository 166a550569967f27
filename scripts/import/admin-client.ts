// The admin routes as typed calls, each repeated while the server that answered once is away.
import { type JobAnswer, jobAnswer } from "../../schemas/job.ts";
import { backoffMs, isTransient, parseRetryAfterMs, sleep } from "../replay/retry.ts";

/** The server said no, or was away for too long. */
export class AdminFailure extends Error {
  override name = "AdminFailure";
}

export class AdminClient {
  readonly url: string;
  readonly #token: string;
  readonly #signal: AbortSignal | undefined;
  readonly #retryForMs: number;
  #hasAnswered = false;

  /** Aborted, `signal` ends the waiting for a server that is away: what is asked then is asked once. */
  constructor(url: string, token: string, signal?: AbortSignal, retryForMs = 120_000) {
    this.url = url;
    this.#token = token;
    this.#signal = signal;
    this.#retryForMs = retryForMs;
  }

  /**
   * The parsed answer. Safe to repeat: every route this is used for may be called again. An outage is ridden out; a
   * server that never answered fails at once.
   * @throws AdminFailure
   */
  async ask(
    method: string,
    path: string,
    body?: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ): Promise<unknown> {
    const until = performance.now() + this.#retryForMs;
    for (let attempt = 1; ; attempt++) {
      const { status, text, retryAfterMs } = await this.#once(method, path, body, headers);
      if (status >= 200 && status < 300) return JSON.parse(text) as unknown;
      const isHopeless = !this.#hasAnswered || performance.now() > until || this.#signal?.aborted;
      if (!isTransient(status) || isHopeless)
        throw new AdminFailure(`${this.url}: ${method} ${path}: ${status} ${reasonIn(text)}`);
      await sleep(backoffMs(attempt, retryAfterMs, Math.random()), this.#signal);
    }
  }

  async #once(
    method: string,
    path: string,
    body: string | Uint8Array<ArrayBuffer> | undefined,
    headers: Record<string, string>,
  ) {
    try {
      const response = await fetch(this.url + path, {
        method,
        headers: { authorization: `Bearer ${this.#token}`, ...headers },
        ...(body === undefined ? {} : { body }),
      });
      this.#hasAnswered = true;
      const retryAfterMs = parseRetryAfterMs(response.headers.get("retry-after"), Date.now());
      return { status: response.status, text: await response.text(), retryAfterMs };
    } catch (error) {
      const { cause, message } = error as Error;
      return { status: 503, text: `no answer: ${cause instanceof Error ? cause.message : message}` };
    }
  }

  async job(id: string): Promise<JobAnswer> {
    return jobAnswer.parse(await this.ask("GET", `/v1/admin/jobs/${id}`));
  }

  /** Posts JSON to a route that answers with a job. */
  async post(path: string, body: object = {}): Promise<JobAnswer> {
    const type = { "content-type": "application/json" };
    return jobAnswer.parse(await this.ask("POST", path, JSON.stringify(body), type));
  }
}

function reasonIn(text: string): string {
  try {
    return (JSON.parse(text) as { detail?: string }).detail ?? text;
  } catch {
    return text.slice(0, 200);
  }
}
