// The load beside which others are measured, in a process of its own: its event loop is not the one that measures.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Requests that are sent one after another, at an even pace. */
export interface Stream {
  perSecond: number;
  /** Null: none, so that a request is refused before anything is looked at. */
  token: string | null;
  /** Whom a gateway's requests speak for, in turn; none: the token's own device. */
  devices: string[];
  /** Readings of a request. */
  metrics: number;
}

/** What came of it. */
export interface NoiseHeard {
  /** How often each status came, or each failure of the connection. */
  statuses: Record<string, number>;
  /** The share of the time in which the sender's event loop did something. */
  busy: number;
  /** Answers a second. */
  perSecond: number;
}

const SENDER = fileURLToPath(new URL("noise-sender.ts", import.meta.url));

/** Sends until it is stopped. */
export class Noise {
  readonly #child: ChildProcess;
  readonly #heard: Promise<NoiseHeard>;

  constructor(url: string, streams: readonly Stream[]) {
    this.#child = fork(SENDER, [JSON.stringify({ url, streams })]);
    this.#heard = Promise.race([
      once(this.#child, "message").then(([heard]) => heard as NoiseHeard),
      once(this.#child, "exit").then(([code]) => {
        throw new Error(`what sends the load ended by itself (${code})`);
      }),
    ]);
    this.#heard.catch(() => undefined);
  }

  /** Waits for what is under way. @throws Error when it ended by itself. */
  async stop(): Promise<NoiseHeard> {
    this.#child.send("stop");
    try {
      return await this.#heard;
    } finally {
      this.#child.kill();
    }
  }

  /** Ends it at once. */
  kill(): void {
    this.#child.kill();
  }
}
