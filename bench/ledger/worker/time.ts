// Time that is ours: a day passes in as long as it takes to do what happens in it, and alarms, queues and crons come when they are due.

import { EACH_HOUR, EACH_MINUTE } from "../../../workers/aggregate/crons.ts";
import type { AggregateEnv } from "../../../workers/aggregate/env.ts";
import { alarms } from "./counted-class.ts";
import { count } from "./meters.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** When the hourly cron comes, in minutes after the hour (wrangler.toml). */
const HOURLY_AT_MS = 41 * MINUTE_MS;

const RealDate = Date;
let nowMs = 0;

/** From here on every clock of this isolate says `ms` until `World.advance` moves it. */
export function stopTime(ms: number): void {
  nowMs = ms;
  globalThis.Date = class extends RealDate {
    constructor(value: number | string | Date = nowMs) {
      super(value);
    }
    static override now = () => nowMs;
  } as DateConstructor;
}

/** How a queue delivers (wrangler.toml). */
interface Delivery {
  queue: string;
  batchSize: number;
  batchTimeoutMs: number;
}
const DELIVERIES: Record<string, Delivery> = {
  ROLLUPS: { queue: "telltale-rollups", batchSize: 100, batchTimeoutMs: 5_000 },
  NOTICES: { queue: "telltale-notices", batchSize: 50, batchTimeoutMs: 0 },
};

interface Waiting {
  body: unknown;
  /** Epoch ms: not delivered before. */
  dueMs: number;
  attempts: number;
}

/** The program's other handlers. */
export interface Handlers {
  queue(batch: MessageBatch, env: AggregateEnv): Promise<void>;
  scheduled(event: ScheduledController, env: AggregateEnv): Promise<void>;
}

const CLASSES = {
  device: "DEVICE",
  zone: "ZONE",
  tenant: "TENANT",
  channel: "CHANNEL",
  fleet: "FLEET",
} as const;

/** What happens while time passes. */
export class World {
  readonly #handlers: Handlers;
  readonly #env: AggregateEnv;
  readonly #waiting: Record<string, Waiting[]> = { ROLLUPS: [], NOTICES: [] };
  #nextMinuteMs = Math.ceil(nowMs / MINUTE_MS) * MINUTE_MS;

  /** `env`: with counted bindings. */
  constructor(handlers: Handlers, env: AggregateEnv) {
    this.#handlers = handlers;
    this.#env = env;
  }

  /** Takes messages of a queue; they are delivered in time. */
  enqueue(queue: string, bodies: readonly unknown[]): void {
    for (const body of bodies) this.#waiting[queue]!.push({ body, dueMs: nowMs, attempts: 1 });
  }

  /** Lets time pass until `toMs`: what is due comes in order, one thing after another. */
  async advance(toMs: number): Promise<void> {
    for (;;) {
      const next = this.#next();
      if (next.atMs > toMs) break;
      nowMs = Math.max(nowMs, next.atMs);
      await next.happen();
      await settled();
    }
    nowMs = Math.max(nowMs, toMs);
  }

  #next(): { atMs: number; happen(): Promise<void> } {
    let next = { atMs: this.#nextMinuteMs, happen: () => this.#minute() };
    for (const [key, alarm] of alarms)
      if (alarm.atMs < next.atMs) next = { atMs: alarm.atMs, happen: () => this.#ring(key) };
    for (const [name, messages] of Object.entries(this.#waiting)) {
      const atMs = batchDueMs(messages, DELIVERIES[name]!);
      if (atMs < next.atMs) next = { atMs, happen: () => this.#deliver(name) };
    }
    return next;
  }

  async #minute(): Promise<void> {
    const atMs = this.#nextMinuteMs;
    this.#nextMinuteMs += MINUTE_MS;
    const tick = async (cron: string) => {
      count("workerRequests", "cron");
      await this.#handlers.scheduled({ cron, scheduledTime: atMs, noRetry: () => undefined }, this.#env);
    };
    await tick(EACH_MINUTE);
    if (atMs % HOUR_MS === HOURLY_AT_MS) await tick(EACH_HOUR);
  }

  async #ring(key: string): Promise<void> {
    const { kind, name } = alarms.get(key)!;
    alarms.delete(key);
    const namespace = this.#env[CLASSES[kind as keyof typeof CLASSES]] as DurableObjectNamespace;
    const object = namespace.getByName(name) as unknown as { ring(): Promise<void> };
    await object.ring();
  }

  async #deliver(name: string): Promise<void> {
    const { queue, batchSize } = DELIVERIES[name]!;
    const all = this.#waiting[name]!;
    const batch = all.filter(({ dueMs }) => dueMs <= nowMs).slice(0, batchSize);
    this.#waiting[name] = all.filter((message) => !batch.includes(message));
    const again = (message: Waiting, delaySeconds = 0) =>
      this.#waiting[name]!.push({
        ...message,
        attempts: message.attempts + 1,
        dueMs: nowMs + delaySeconds * 1_000,
      });
    const messages = batch.map((message, i) => ({
      id: String(i),
      timestamp: new Date(nowMs),
      body: message.body,
      attempts: message.attempts,
      ack: () => undefined,
      retry: ({ delaySeconds }: QueueRetryOptions = {}) => again(message, delaySeconds),
    }));
    count("workerRequests", `queue ${name.toLowerCase()}`);
    const delivered = {
      queue,
      messages,
      ackAll: () => undefined,
      retryAll: () => {
        for (const message of batch) again(message);
      },
    };
    await this.#handlers.queue(delivered as unknown as MessageBatch, this.#env);
  }
}

/** When the queue delivers next, epoch ms: when a batch is full, or its first message has waited long enough. */
function batchDueMs(messages: readonly Waiting[], { batchSize, batchTimeoutMs }: Delivery): number {
  if (messages.length === 0) return Number.POSITIVE_INFINITY;
  const due = messages.map(({ dueMs }) => dueMs).sort((a, b) => a - b);
  return due.length >= batchSize ? due[batchSize - 1]! : due[0]! + batchTimeoutMs;
}

/** Lets what runs beside the caller go on: it all runs in this isolate, and nothing of it waits for time. */
async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}
