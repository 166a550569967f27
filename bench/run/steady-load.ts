// A fleet that reports as it does in the field: each device every so often, in a gateway's requests, evenly spread over time.
import { setTimeout as sleep } from "node:timers/promises";
import { METRICS, metricsText } from "./reports.ts";
import { quantile } from "./rounds.ts";

export interface SteadyLoad {
  url: string;
  /** Of a gateway. */
  token: string;
  devices: readonly string[];
  everyMs: number;
  /** Devices in a request. */
  batch: number;
  /** What a device reports beside its ten metrics: `,"level":10`; "" for nothing. */
  also(device: string): string;
}

export interface SteadyFigures {
  reportsPerSecond: number;
  readingsPerSecond: number;
  /** Of the requests' answers. */
  p50Ms: number | undefined;
  p99Ms: number | undefined;
}

/** Most requests under way: a server that falls behind is not buried, and what is not sent shows in the rate. */
const UNDER_WAY_MAX = 20;

export class SteadyFleet {
  readonly #load: SteadyLoad;
  readonly #running: Promise<void>;
  readonly #stopping = new AbortController();
  #made = 0;
  #answered = 0;
  #latenciesMs: number[] = [];
  #since = performance.now();

  constructor(load: SteadyLoad) {
    this.#load = load;
    this.#running = this.#run();
    this.#running.catch(() => undefined);
  }

  /** Begins to measure anew. */
  measure(): void {
    this.#answered = 0;
    this.#latenciesMs = [];
    this.#since = performance.now();
  }

  /** Since `measure`. */
  figures(): SteadyFigures {
    const seconds = (performance.now() - this.#since) / 1_000;
    const reportsPerSecond = this.#answered / seconds;
    return {
      reportsPerSecond,
      readingsPerSecond: reportsPerSecond * METRICS,
      p50Ms: quantile(this.#latenciesMs, 0.5),
      p99Ms: quantile(this.#latenciesMs, 0.99),
    };
  }

  /** @throws what a request failed with. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { devices, everyMs, batch } = this.#load;
    const { signal } = this.#stopping;
    const pauseMs = (everyMs * batch) / devices.length;
    const underWay = new Set<Promise<void>>();
    const startedAt = performance.now();
    try {
      for (let turn = 0; !signal.aborted; turn++) {
        const waitMs = Math.max(0, startedAt + turn * pauseMs - performance.now());
        await sleep(waitMs, undefined, { signal }).catch(() => undefined);
        if (underWay.size >= UNDER_WAY_MAX) continue;
        const first = (turn * batch) % devices.length;
        const request = this.#send(devices.slice(first, first + batch));
        underWay.add(request);
        void request.finally(() => underWay.delete(request)).catch(() => signal.aborted);
        await Promise.race([request, Promise.resolve()]); // one that has failed ends the run
      }
    } finally {
      await Promise.all(underWay);
    }
  }

  async #send(devices: readonly string[]): Promise<void> {
    const { url, token, also } = this.#load;
    const at = Date.now();
    const reports = devices.map((device) => {
      const metrics = metricsText(this.#made++);
      return `{"device":"${device}","at":${at},"metrics":${metrics.slice(0, -1)}${also(device)}}}`;
    });
    const sentAt = performance.now();
    await post(url, token, `[${reports.join()}]`);
    this.#latenciesMs.push(performance.now() - sentAt);
    this.#answered += devices.length;
  }
}

/** Sends telemetry of which nothing may be refused. */
export async function post(url: string, token: string, body: string): Promise<void> {
  const response = await fetch(`${url}/v1/telemetry`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body,
  });
  const text = await response.text();
  if (response.status !== 200 || !text.includes('"refused":0'))
    throw new Error(`a report was not taken: ${response.status} ${text}`);
}
