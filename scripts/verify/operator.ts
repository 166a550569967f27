// A server and a tenant → what its operator asks and orders, over HTTP, tried again while the server is busy.
import { signToken } from "../../core/token/sign.ts";
import type { HistoryAnswer } from "../../schemas/query.ts";
import type { TenantSettings } from "../../schemas/tenant.ts";
import { backoffMs, isTransient, parseRetryAfterMs, sleep } from "../replay/retry.ts";

const TRIES = 12;
/** Outlives any run; the token never leaves the process. */
const TOKEN_TTL_SECONDS = 7 * 86_400;
/** Between two looks at what is stored: a batch of the local queue waits up to 5 s for more messages. */
const LOOK_EVERY_MS = 500;
/** Longest wait for the queue's consumer. */
const STORED_WITHIN_MS = 15 * 60_000;
const HOUR_MS = 3_600_000;
/** Readings come within a week, so blocks of longer ago are sealed. */
const WEEK_MS = 7 * 24 * HOUR_MS;

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

  /** Waits until storage has all that the devices sealed of before `beforeMs`: what lies there is answered from storage. */
  async stored(devices: readonly string[], beforeMs: number): Promise<void> {
    const deadline = performance.now() + STORED_WITHIN_MS;
    for (const device of devices) {
      // Any metric will do: what is settled holds for the device.
      const query = { metric: "any", resolution: "1h", from: beforeMs - HOUR_MS, to: beforeMs };
      for (;;) {
        const answer = await this.getJson<HistoryAnswer>(`/v1/devices/${device}/history`, query);
        if (answer.segments.every(({ source }) => source !== "hot")) break;
        if (performance.now() > deadline) {
          const minutes = STORED_WITHIN_MS / 60_000;
          throw new Error(`${device} has blocks of before ${beforeMs} not in storage for ${minutes} min`);
        }
        await sleep(LOOK_EVERY_MS);
      }
    }
  }

  /**
   * Seals what the devices hold open and waits until storage has all of it; `newestAt`: of all their readings. A device
   * asked to seal sends again everything that is pending, so it is asked only when little is.
   */
  async settle(devices: readonly string[], newestAt: number): Promise<void> {
    await this.stored(devices, newestAt - WEEK_MS);
    await Promise.all(devices.map((device) => this.#seal(device)));
    await this.stored(devices, newestAt + HOUR_MS);
    for (const device of devices) {
      const pending = await this.#seal(device);
      if (pending > 0) throw new Error(`${device} has ${pending} blocks pending after all were stored`);
    }
  }

  /** Gives how many blocks are not in storage yet. */
  async #seal(device: string): Promise<number> {
    const response = await this.#ask("POST", `/v1/devices/${device}/seal`);
    return ((await response.json()) as { pending: number }).pending;
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
