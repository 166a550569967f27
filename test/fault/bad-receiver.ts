// The receiver of a round's channels on a bad day: refuses, cuts the line, or takes a message and answers too late.
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, answerWith } from "../flow/receiver.ts";
import { cutLine, type Webhook, WebhookReceiver } from "../flow/webhook-receiver.ts";
import { chance } from "./chance.ts";
import { RECEIVER_FAULTS, type ReceiverFault, type ReceiverRates } from "./faults.ts";

/** Longer than the faulty Worker waits for it. */
const LATE_MS = 1_300;

const ANSWERS: Record<ReceiverFault, Answer> = {
  "receiver answers 500": answerWith(500, {}, "not today"),
  "receiver cuts the line": cutLine,
  "receiver takes it and answers too late": async (response) => {
    await sleep(LATE_MS);
    response.writeHead(204).end();
  },
};

/** What it says to the n-th message is decided by the seed. */
export class BadReceiver {
  readonly #receiver = new WebhookReceiver();
  /** Messages that it took, whether the sender knows or not. */
  readonly #taken: Webhook[] = [];

  async listen(): Promise<this> {
    await this.#receiver.listen();
    return this;
  }

  urlOf(path: string): string {
    return this.#receiver.urlOf(path);
  }

  misbehave(path: string, seed: number, rates: ReceiverRates, note: (fault: ReceiverFault) => void): void {
    let n = 0;
    this.#receiver.answer(path, (response, message) => {
      n += 1;
      const fault = RECEIVER_FAULTS.find((one) => chance(seed, one, path, n) < (rates[one] ?? 0));
      if (fault !== undefined) note(fault);
      if (fault !== "receiver answers 500") this.#taken.push(this.#receiver.webhooks.at(-1)!);
      (fault === undefined ? answerWith(204) : ANSWERS[fault])(response, message);
    });
  }

  /** What it was sent, also what it refused, oldest first. */
  sent(path: string): Webhook[] {
    return this.#receiver.at(path);
  }

  /** What it took of that. */
  taken(path: string): Webhook[] {
    return this.#taken.filter((webhook) => webhook.path === path);
  }

  async close(): Promise<void> {
    await this.#receiver.close();
  }
}
