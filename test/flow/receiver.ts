// A receiver of messages on this machine: a real HTTP server that answers as a test says and keeps what it was sent.
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface ReceivedMessage {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Answers a request; one that does nothing leaves the sender waiting. */
export type Answer = (response: ServerResponse, message: ReceivedMessage) => void;

export const answerWith =
  (status: number, headers: Record<string, string> = {}, body = ""): Answer =>
  (response) =>
    response.writeHead(status, headers).end(body);

export class Receiver {
  readonly received: ReceivedMessage[] = [];
  readonly #server: Server;
  #answers: Answer[] = [];
  #otherwise: Answer = answerWith(200);

  constructor() {
    this.#server = createServer(async (request, response) => {
      const body = await text(request).catch(() => undefined);
      if (body === undefined) return; // the sender died at it
      const message = { path: request.url ?? "", headers: request.headers, body };
      this.received.push(message);
      (this.#answers.shift() ?? this.#otherwise)(response, message);
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next requests are answered so, one each; those after them as `always` said. */
  next(...answers: Answer[]): this {
    this.#answers.push(...answers);
    return this;
  }

  always(answer: Answer): this {
    this.#otherwise = answer;
    return this;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
