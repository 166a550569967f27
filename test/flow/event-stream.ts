// Server-sent events over fetch, as frames; the twin of FrameSocket.
import { until } from "./until.ts";

export class EventStream<F extends { type: string; seq: number }> {
  readonly frames: F[] = [];
  readonly #abort = new AbortController();

  static async open<F extends { type: string; seq: number }>(
    url: string,
    headers: Record<string, string>,
  ): Promise<EventStream<F>> {
    const stream = new EventStream<F>();
    const response = await fetch(url, { headers, signal: stream.#abort.signal });
    if (response.headers.get("content-type") !== "text/event-stream") {
      throw new Error(`${response.status} ${await response.text()}`);
    }
    void stream.#read(response.body!).catch(() => undefined); // ends with the abort
    return stream;
  }

  async #read(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    let rest = "";
    for await (const text of body.pipeThrough(new TextDecoderStream())) {
      const events = (rest + text).split("\n\n");
      rest = events.pop()!;
      for (const event of events) this.#take(event);
    }
  }

  /** The frame, whose id and event name must say what its data says. */
  #take(event: string): void {
    const fields = new Map(
      event
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]),
    );
    const data = fields.get("data");
    if (data === undefined) return; // a comment
    const frame = JSON.parse(data) as F;
    if (fields.get("event") !== frame.type || fields.get("id") !== String(frame.seq))
      throw new Error(`odd event: ${event}`);
    this.frames.push(frame);
  }

  next<T extends F["type"]>(
    type: T,
    fits: (frame: Extract<F, { type: T }>) => boolean = () => true,
  ): Promise<Extract<F, { type: T }>> {
    const isWanted = (frame: F): frame is Extract<F, { type: T }> =>
      frame.type === type && fits(frame as Extract<F, { type: T }>);
    return until(`an event of type ${type}; came: ${JSON.stringify(this.frames).slice(0, 2_000)}`, () =>
      this.frames.find(isWanted),
    );
  }

  async close(): Promise<void> {
    this.#abort.abort();
  }
}
