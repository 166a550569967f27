// Webhooks as their receiver gets them: which message of which incident, when it came, and an answer of its own for each path.
import type { Alert, Incident } from "../../schemas/alert.ts";
import type { Delivery } from "../../schemas/channel.ts";
import { type Answer, answerWith, type ReceivedMessage, Receiver } from "./receiver.ts";

/** The body that docs/webhooks.md describes. */
export interface WebhookBody {
  version: 1;
  key: string;
  kind: Delivery["kind"];
  tenant: string;
  title: string;
  incident: Incident;
  alerts: (Alert & { links: { chart: string | null } })[];
  omitted: number;
  links: { incident: string | null };
}

export interface Webhook extends Omit<ReceivedMessage, "body"> {
  /** When its last byte had come, by the wall clock. */
  at: number;
  key: string;
  kind: WebhookBody["kind"];
  body: WebhookBody;
  /** The body as it came, which the signature is over. */
  text: string;
}

/** A receiver that neither answers nor goes away. */
export const hang: Answer = () => undefined;
/** The line is cut when the message has been taken. */
export const cutLine: Answer = (response) => void response.socket?.destroy();

export class WebhookReceiver {
  readonly webhooks: Webhook[] = [];
  readonly #receiver = new Receiver();
  readonly #answers = new Map<string, Answer>();

  /** @param otherwise how a path is answered of which nothing else is said. */
  constructor(otherwise: Answer = answerWith(204)) {
    this.#receiver.always((response, message) => {
      this.#note(message);
      (this.#answers.get(message.path) ?? otherwise)(response, message);
    });
  }

  async listen(): Promise<this> {
    await this.#receiver.listen();
    return this;
  }

  urlOf(path: string): string {
    return this.#receiver.url + path;
  }

  /** From now on. */
  answer(path: string, answer: Answer): void {
    this.#answers.set(path, answer);
  }

  /** What came to a path, oldest first. */
  at(path: string): Webhook[] {
    return this.webhooks.filter((webhook) => webhook.path === path);
  }

  async close(): Promise<void> {
    await this.#receiver.close();
  }

  #note({ path, headers, body: text }: ReceivedMessage): void {
    const body = JSON.parse(text) as WebhookBody;
    const { key, kind } = body;
    if (headers["idempotency-key"] !== key)
      throw new Error(`the header names ${headers["idempotency-key"]}, the body ${key}`);
    this.webhooks.push({ at: Date.now(), path, headers, key, kind, body, text });
  }
}
