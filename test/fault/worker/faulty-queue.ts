// The queue's two ends on a bad day: what is sent may be refused, lost, doubled or late, and who reads it may die at it.
import type { BlockMessage } from "../../../schemas/message.ts";
import type { AlertFault, WorkerFault } from "../faults.ts";
import { type Around, aroundStores, sufferSilence } from "./faulty-storage.ts";
import { coin, InjectedFault, someMs, strikes } from "./strikes.ts";

const DELAY_MS_MAX = 1_200;

/** Messages taken out of a queue, to be delivered when everything newer has been. */
let heldBack: { queue: string; body: unknown }[] = [];

let consumedCount = 0;

/** Messages delivered and done with. */
export const consumed = () => consumedCount;

/** Sends what was held back; how much that was. */
export async function release({ ROLLUPS, NOTICES }: { ROLLUPS: Queue; NOTICES: Queue }): Promise<number> {
  const messages = heldBack;
  heldBack = [];
  for (const { queue, body } of messages) {
    if (queue === "telltale-notices") await NOTICES.send(body, { contentType: "json" });
    else await ROLLUPS.send(body, { contentType: "v8" });
  }
  return messages.length;
}

/** Where each block begins that the queue took from an object, in the order it took them. */
export const taken = new Map<string, number[]>();

/** The sending end, for the object at `place`. */
export function faultyQueue(queue: Queue, ctx: DurableObjectState, place: string): Queue {
  const sendBatch = async (messages: Iterable<MessageSendRequest>) => {
    let batch = [...messages];
    if (strikes("queue refuses", place)) throw new InjectedFault("the queue refuses");
    const starts = batch
      .map(({ body }) => body as Partial<BlockMessage>)
      .flatMap(({ startMs }) => startMs ?? []);
    taken.set(place, [...(taken.get(place) ?? []), ...starts]);
    if (strikes("queue forgets", place)) return;
    if (strikes("queue reorders", place)) batch = batch.toReversed();
    if (strikes("queue doubles", place)) await queue.sendBatch(batch);
    if (strikes("queue delays", place)) {
      const later = scheduler.wait(someMs(DELAY_MS_MAX, place)).then(() => queue.sendBatch(batch));
      ctx.waitUntil(later.catch(() => undefined));
      return;
    }
    await queue.sendBatch(batch);
  };
  return { sendBatch } as unknown as Queue;
}

type Consume<Env> = (batch: MessageBatch<unknown>, env: Env) => void | Promise<void>;

interface ConsumerEnv {
  DEVICE: DurableObjectNamespace;
  ZONE: DurableObjectNamespace;
  CHANNEL: DurableObjectNamespace;
}

/** What a consumer says to an object when a message is done with. */
const CONFIRMATIONS = ["confirm", "told"];

/** The reading end: `consume` gets the batch as a bad queue delivers it, and dies where it is told to. */
export async function consumeFaultily<Env extends ConsumerEnv>(
  batch: MessageBatch<unknown>,
  env: Env,
  consume: Consume<Env>,
): Promise<void> {
  let messages = [...batch.messages];
  messages = messages.filter((message) => {
    if (!strikes("message much later", batch.queue)) return true;
    heldBack.push({ queue: batch.queue, body: message.body });
    message.ack();
    return false;
  });
  if (strikes("batch out of order", batch.queue)) messages = messages.toReversed();
  const deliver = async (own: readonly Message[], isGhost: boolean) => {
    if (own.length === 0) return;
    const consumer = new Consumer(own, isGhost);
    // As the platform takes it: an error that leaves the consumer is a batch to be delivered again.
    await Promise.resolve(consume(consumer.batchOf(batch), consumer.envOf(env))).catch(() => undefined);
    consumer.settle();
  };
  const together = [deliver(messages, false)];
  // Another cut of the same messages, at the same time.
  if (strikes("two consumers at once", batch.queue)) {
    together.push(
      deliver(
        messages.toReversed().filter(() => coin(batch.queue)),
        true,
      ),
    );
  }
  await Promise.all(together);
  if (strikes("batch delivered twice", batch.queue)) await deliver(messages, true);
  consumedCount += messages.length;
}

/** One delivery of a batch. A ghost is one too many: what it says of the messages is not heard. */
class Consumer {
  readonly #messages: readonly Message[];
  readonly #isGhost: boolean;
  readonly #said = new Map<Message, () => void>();
  #isDead = false;

  constructor(messages: readonly Message[], isGhost: boolean) {
    this.#messages = messages;
    this.#isGhost = isGhost;
  }

  batchOf(batch: MessageBatch<unknown>): MessageBatch<unknown> {
    const say = (message: Message, what: () => void) => {
      if (!this.#isDead && !this.#said.has(message)) this.#said.set(message, what);
    };
    const messages = this.#messages.map((message) => ({
      id: message.id,
      timestamp: message.timestamp,
      attempts: message.attempts,
      body: message.body,
      ack: () => say(message, () => message.ack()),
      retry: (options?: QueueRetryOptions) => say(message, () => message.retry(options)),
    }));
    const sayAll = (what: "ack" | "retry") => {
      for (const message of messages) message[what]();
    };
    return {
      ...batch,
      queue: batch.queue,
      messages,
      ackAll: () => sayAll("ack"),
      retryAll: () => sayAll("retry"),
    };
  }

  envOf<Env extends ConsumerEnv>(env: Env): Env {
    const around: Around = async (call, make) => {
      this.#live();
      if (call.method === "put") this.#dieAt("consumer dies before R2");
      const result = await sufferSilence(call, make);
      this.#live();
      if (call.method === "put") this.#dieAt("consumer dies between R2 and D1");
      if (call.method === "batch") this.#dieAt("consumer dies between D1 and ack");
      return result;
    };
    const faulty = (objects: DurableObjectNamespace) => ({
      getByName: (name: string) => {
        const object = objects.getByName(name) as unknown as Record<
          string,
          (...values: unknown[]) => unknown
        >;
        return new Proxy(object, {
          get:
            (_, method: string) =>
            async (...values: unknown[]) => {
              this.#live();
              if (method === "deliver") this.#dieAt("consumer dies between channels");
              if (CONFIRMATIONS.includes(method)) {
                this.#dieAt("consumer dies before confirming");
                if (strikes("confirmation lost", name)) throw new InjectedFault("the object is away");
              }
              return await object[method]!(...values);
            },
        });
      },
    });
    const { DEVICE, ZONE, CHANNEL } = env;
    const objects = { DEVICE: faulty(DEVICE), ZONE: faulty(ZONE), CHANNEL: faulty(CHANNEL) };
    return { ...aroundStores(env, around), ...objects };
  }

  /** What was said before it died is heard; what it had no time to say is a delivery that failed. */
  settle(): void {
    if (this.#isGhost) return;
    for (const message of this.#messages) (this.#said.get(message) ?? (() => message.retry()))();
  }

  #dieAt(fault: Extract<WorkerFault | AlertFault, `consumer dies ${string}`>) {
    if (!strikes(fault, "consumer")) return;
    this.#isDead = true;
    this.#live();
  }

  #live(): void {
    if (this.#isDead) throw new InjectedFault("the consumer is dead");
  }
}
