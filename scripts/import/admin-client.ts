// The admin routes as typed calls, each repeated while the server is away.
import { setTimeout as sleep } from "node:timers/promises";
import { type JobAnswer, jobAnswer } from "../../schemas/job.ts";
import { backoffMs, isTransient, parseRetryAfterMs } from "../replay/retry.ts";

/** The server said no, or was away for too long. */
export class AdminFailure extends Error {
  override name = "AdminFailure";
}

export class AdminClient {
  readonly url: string;
  readonly #token: string;
  readonly #retryForMs: number;

  constructor(url: string, token: string, retryForMs = 120_000) {
    this.url = url;
    this.#token = token;
    this.#retryForMs = retryForMs;
  }

  /** The parsed answer. Safe to repeat: every route this is used for may be called again. @throws AdminFailure */
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
      if (!isTransient(status) || performance.now() > until)
        throw new AdminFailure(`${method} ${path}: ${status} ${reasonIn(text)}`);
      await sleep(backoffMs(attempt, retryAfterMs, Math.random()));
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
