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
/** A device is asked to seal, and so to send again, no more often. */
const ASK_AGAIN_MS = 30_000;
const ROUNDS = 20;
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

  /**
   * Waits until storage has all the blocks that begin before `beforeMs`: an hour there is answered from storage.
   * @returns false when that took longer than `patienceMs`
   */
  async isStored(devices: readonly string[], beforeMs: number, patienceMs: number): Promise<boolean> {
    const deadline = performance.now() + patienceMs;
    for (const device of devices) {
      // Any metric will do: what is settled holds for the device.
      const query = { metric: "any", resolution: "1h", from: beforeMs - HOUR_MS, to: beforeMs };
      for (;;) {
        const answer = await this.getJson<HistoryAnswer>(`/v1/devices/${device}/history`, query);
        if (answer.segments.every(({ source }) => source !== "hot")) break;
        if (performance.now() > deadline) return false;
        await sleep(LOOK_EVERY_MS);
      }
    }
    return true;
  }

  /**
   * Seals what the devices hold open and waits until storage has all of it; `newestAt`: of all their readings. A device
   * asked to seal sends again all that is pending, so it is asked when little is, and seldom.
   * @throws when something is pending after ten minutes
   */
  async settle(devices: readonly string[], newestAt: number): Promise<void> {
    await this.isStored(devices, newestAt - WEEK_MS, ASK_AGAIN_MS);
    for (let round = 1; ; round++) {
      const pending = await Promise.all(devices.map((device) => this.#seal(device)));
      const blocks = pending.reduce((sum, more) => sum + more, 0);
      if (blocks === 0) return;
      if (round > ROUNDS) throw new Error(`${blocks} blocks of ${devices.join()} are still not in storage`);
      await this.isStored(devices, newestAt + HOUR_MS, ASK_AGAIN_MS);
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
