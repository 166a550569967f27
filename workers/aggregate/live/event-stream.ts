// Numbered frames → the body of one answer of type text/event-stream.
import type { Written } from "./frame-log.ts";

/** Bytes that may wait in a slow reader's way before the stream is cut; it comes back with its last id. */
const WAITING_BYTES_MAX = 1_000_000;
/** Said first, so that headers and a first byte leave at once; how long a browser waits before it comes back, in ms. */
const OPENING = "retry: 3000\n";
/** A line that no reader hears, for proxies. */
const COMMENT = ":\n\n";

/** One stream of server-sent events. Nothing here throws: a reader that has gone, or is too slow, ends the stream. */
export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #ended: () => void;
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  /** @param ended called once, when the stream has ended, whoever ended it */
  constructor(ended: () => void) {
    this.#ended = ended;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.end(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: WAITING_BYTES_MAX }),
    );
    this.#write(OPENING);
  }

  /** Sends a frame as an event of its type, under its number. */
  send({ frame, text }: Written<{ type: string; seq: number }>): void {
    this.#write(`id: ${frame.seq}\nevent: ${frame.type}\ndata: ${text}\n\n`);
  }

  /** Sends a byte that means nothing. */
  comment(): void {
    this.#write(COMMENT);
  }

  /** Ends the stream; what is written afterwards goes nowhere. */
  end(): void {
    const controller = this.#controller;
    if (controller === undefined) return;
    this.#controller = undefined;
    try {
      controller.close();
    } catch {
      // The reader has gone.
    }
    this.#ended();
  }

  #write(text: string): void {
    try {
      if ((this.#controller?.desiredSize ?? 0) <= 0) this.end();
      else this.#controller?.enqueue(this.#encoder.encode(text));
    } catch {
      this.end();
    }
  }
}
