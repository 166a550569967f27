// The tenant that is measured: devices that report, people who ask, alerts that are told; and how long each took.
import { setTimeout as sleep } from "node:timers/promises";
import { signToken } from "../../core/token/sign.ts";
import { AlertClient } from "../../test/flow/alert-client.ts";
import { TenantClient } from "../../test/flow/tenant-client.ts";
import type { WebhookReceiver } from "../../test/flow/webhook-receiver.ts";

export const CALM = { reportsPerSecond: 20, questionsPerSecond: 10, alertsPerSecond: 2, devices: 20 };

export type What = "ack" | "latest" | "alert";
export const WHATS: readonly What[] = ["ack", "latest", "alert"];
export type Latencies = Record<What, number[]>;
export const none = (): Latencies => ({ ack: [], latest: [], alert: [] });

const WEBHOOK_MS_MAX = 60_000;

export class Calm {
  readonly #url: string;
  readonly #gateway: string;
  readonly #viewer: string;
  readonly #receiver: WebhookReceiver;
  #alarms = 0;

  private constructor(url: string, gateway: string, viewer: string, receiver: WebhookReceiver) {
    this.#url = url;
    this.#gateway = gateway;
    this.#viewer = viewer;
    this.#receiver = receiver;
  }

  /** Makes its rule, its channel and its devices, `alarming` of them with an alert each: what joins an incident again is told otherwise. */
  static async begin(
    { url, secret }: { url: string; secret: string },
    receiver: WebhookReceiver,
    alarming: number,
  ): Promise<Calm> {
    const client = new AlertClient(new TenantClient(url, secret, "calm"), secret);
    const target = { type: "webhook", url: receiver.urlOf("/ops") } as const;
    await client.addChannel({ id: "ops", target, perHourMax: null });
    const condition = { type: "threshold", metric: "level", above: 80, clear: 75 } as const;
    await client.addRule({ id: "level", severity: "critical", condition, groupWithinMs: 0 });
    const tokenOf = (role: "gateway" | "viewer") =>
      signToken({ tenant: "calm", role, ttlSeconds: 86_400 }, secret, Date.now());
    const calm = new Calm(url, await tokenOf("gateway"), await tokenOf("viewer"), receiver);
    for (let i = 0; i < CALM.devices; i++) await calm.#report(`calm-${i}`, 10);
    for (let i = 0; i < alarming; i++) await calm.#report(`alarm-${i}`, 10);
    return calm;
  }

  async play(forMs: number): Promise<Latencies> {
    const seen = none();
    await Promise.all([
      paced(CALM.reportsPerSecond, forMs, async (nth) => {
        seen.ack.push(await timed(() => this.#report(`calm-${nth % CALM.devices}`, 10)));
      }),
      paced(CALM.questionsPerSecond, forMs, async (nth) => {
        seen.latest.push(await timed(() => this.#latest(`calm-${nth % CALM.devices}`)));
      }),
      paced(CALM.alertsPerSecond, forMs, async () => {
        const device = `alarm-${this.#alarms++}`;
        const from = this.#receiver.webhooks.length;
        const sentAt = Date.now();
        await this.#report(device, 90);
        seen.alert.push((await this.#told(device, from)) - sentAt);
        await this.#report(device, 10);
      }),
    ]);
    return seen;
  }

  async #report(device: string, level: number): Promise<void> {
    const headers = { authorization: `Bearer ${this.#gateway}`, "content-type": "application/json" };
    const body = JSON.stringify({ device, at: Date.now(), metrics: { level } });
    const response = await fetch(`${this.#url}/v1/telemetry`, { method: "POST", headers, body });
    const text = await response.text();
    if (response.status !== 200)
      throw new Error(`the calm tenant's report was not taken: ${response.status} ${text}`);
  }

  async #latest(device: string): Promise<void> {
    const headers = { authorization: `Bearer ${this.#viewer}` };
    const response = await fetch(`${this.#url}/v1/devices/${device}/latest`, { headers });
    await response.text();
    if (response.status !== 200) throw new Error(`latest was answered ${response.status}`);
  }

  /** When the webhook came, by the wall clock. */
  async #told(device: string, from: number): Promise<number> {
    for (const deadline = Date.now() + WEBHOOK_MS_MAX; Date.now() < deadline; await sleep(5)) {
      const found = this.#receiver.webhooks
        .slice(from)
        .find(({ kind, body }) => kind === "fire" && body.alerts.some((alert) => alert.device === device));
      if (found !== undefined) return found.at;
    }
    throw new Error(`no webhook of ${device} came in ${WEBHOOK_MS_MAX / 1_000} s`);
  }
}

/** Calls `act` so many times a second for so long; all that began is waited for. */
async function paced(perSecond: number, forMs: number, act: (nth: number) => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  const begun: Promise<void>[] = [];
  for (let nth = 0; (nth * 1_000) / perSecond < forMs; nth++) {
    const waitMs = startedAt + (nth * 1_000) / perSecond - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    begun.push(act(nth));
  }
  await Promise.all(begun);
}

async function timed(act: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await act();
  return performance.now() - startedAt;
}
