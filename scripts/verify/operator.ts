// A server and a tenant → what its operator asks and orders, over HTTP, tried again while the server is busy.
import { signToken } from "../../core/token/sign.ts";
import type { TenantSettings } from "../../schemas/tenant.ts";
import { backoffMs, isTransient, parseRetryAfterMs, sleep } from "../replay/retry.ts";

const TRIES = 12;
/** Outlives any run; the token never leaves the process. */
const TOKEN_TTL_SECONDS = 7 * 86_400;
/** Between two looks at what is pending: a batch of the local queue waits up to 5 s for more messages. */
const LOOK_EVERY_MS = 2_000;

export class Operator {
  readonly #url: string;
  readonly #token: Promise<string>;

  constructor(url: string, secret: string, tenant: string) {
    this.#url = url;
    this.#token = signToken({ tenant, role: "admin", ttlSeconds: TOKEN_TTL_SECONDS }, secret, Date.now());
  }

  async getJson<T>(path: string, query: Record<string, string | number> = {}): Promise<T> {
    const search = new URLSearchParams(query as Record<string, string>);
    return (await (await this.#ask("GET", `${path}?${search}`)).json()) as T;
  }

  async getBytes(path: string): Promise<Uint8Array> {
    return new Uint8Array(await (await this.#ask("GET", path)).arrayBuffer());
  }

  async setRetention(retention: TenantSettings["retention"]): Promise<void> {
    await (await this.#ask("PUT", "/v1/tenant", JSON.stringify({ retention }))).arrayBuffer();
  }

  /**
   * Seals what the devices hold open and waits until storage has all of it.
   * @throws when the number of pending blocks has not shrunk for `patienceMs`
   */
  async settle(
    devices: readonly string[],
    onPending: (blocks: number) => void = () => {},
    patienceMs = 60_000,
  ): Promise<void> {
    let least = Number.POSITIVE_INFINITY;
    let lessAt = performance.now();
    for (;;) {
      const answers = devices.map(async (device) => {
        const response = await this.#ask("POST", `/v1/devices/${device}/seal`);
        return (await response.json()) as { pending: number };
      });
      const pending = (await Promise.all(answers)).reduce((sum, answer) => sum + answer.pending, 0);
      onPending(pending);
      if (pending === 0) return;
      if (pending < least) [least, lessAt] = [pending, performance.now()];
      if (performance.now() - lessAt > patienceMs) {
        throw new Error(`${pending} blocks wait for storage, and none was taken for ${patienceMs / 1000} s`);
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** @throws when the answer is an error that a repetition does not help, or too many of them failed. */
  async #ask(method: string, path: string, body?: string): Promise<Response> {
    const headers = { authorization: `Bearer ${await this.#token}`, "content-type": "application/json" };
    for (let attempt = 1; ; attempt++) {
      const response = await fetch(this.#url + path, { method, headers, body }).catch(() => undefined);
      if (response?.ok) return response;
      const text = (await response?.text()) ?? "no answer";
      if ((response !== undefined && !isTransient(response.status)) || attempt >= TRIES) {
        throw new Error(`${method} ${path}: ${response?.status ?? ""} ${text.slice(0, 300)}`);
      }
      const retryAfterMs = parseRetryAfterMs(response?.headers.get("retry-after") ?? null, Date.now());
      await sleep(backoffMs(attempt, retryAfterMs, Math.random()));
    }
  }
}
