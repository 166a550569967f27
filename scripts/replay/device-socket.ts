// One device's socket: reports in, acknowledged or kept and sent again; survives lost connections.
import type { ServerFrame } from "../../schemas/reading.ts";
import { type ClientSocket, openClientSocket } from "./client-socket.ts";
import { backoffMs, sleep } from "./retry.ts";

export interface SocketReport {
  at: number;
  metrics: Record<string, number>;
  /** Told to a local server as its clock. */
  clockMs?: number;
}
export type Ack = Extract<ServerFrame, { type: "ack" }>;
export interface AcknowledgedReport {
  report: SocketReport;
  latencyMs: number;
}

export interface DeviceSocketOptions {
  /** Where to connect, asked anew for each connection. */
  connect(): Promise<{ url: string; token: string; headers?: Record<string, string> }>;
  /** Most reports sent and not acknowledged. */
  windowReports: number;
  /** How long without a connection until it gives up. */
  patienceMs: number;
  /** `reports` are those this acknowledgement newly covers, oldest first. */
  onAck?(ack: Ack, reports: AcknowledgedReport[]): void;
  onProblem?(code: string): void;
  onConnect?(isFirst: boolean): void;
  /** Ends the socket. */
  signal: AbortSignal;
}

interface Unacknowledged {
  seq: number;
  report: SocketReport;
  sentAt: number;
}

/** How long a full window waits for an acknowledgement before it asks for one: the server may hold what it got. */
const FLUSH_AFTER_MS = 100;

export class DeviceSocket {
  readonly #options: DeviceSocketOptions;
  readonly #unacknowledged: Unacknowledged[] = [];
  #socket: ClientSocket | undefined;
  #seq = 0;
  #pausedUntil = 0;
  #downSince: number | undefined = performance.now();
  #ended = false;
  #gaveUp = false;
  #waiting: (() => void)[] = [];

  constructor(options: DeviceSocketOptions) {
    this.#options = options;
    options.signal.addEventListener("abort", () => this.end(), { once: true });
    if (options.signal.aborted) this.#ended = true;
    void this.#stayConnected();
  }

  get unacknowledged(): number {
    return this.#unacknowledged.length;
  }

  /** It had no connection for longer than its patience. */
  get gaveUp(): boolean {
    return this.#gaveUp;
  }

  /** A report would be taken without waiting. */
  get hasRoom(): boolean {
    return (
      this.#unacknowledged.length < this.#options.windowReports && performance.now() >= this.#pausedUntil
    );
  }

  /** Takes a report as soon as there is room; false when the socket ended before. */
  async send(report: SocketReport): Promise<boolean> {
    while (!this.hasRoom && !this.#ended) {
      const pausedMs = this.#pausedUntil - performance.now();
      if (!(await this.#changeWithin(Math.max(FLUSH_AFTER_MS, pausedMs)))) this.#flush();
    }
    if (this.#ended) return false;
    const entry = { seq: ++this.#seq, report, sentAt: performance.now() };
    this.#unacknowledged.push(entry);
    this.#transmit(entry);
    return true;
  }

  /** Asks for the acknowledgement of everything sent and waits for it; false when it did not come within `waitMs`. */
  async drain(waitMs: number): Promise<boolean> {
    const deadline = performance.now() + waitMs;
    this.#flush();
    while (this.#unacknowledged.length > 0 && !this.#ended && performance.now() < deadline) {
      if (!(await this.#changeWithin(FLUSH_AFTER_MS))) this.#flush();
    }
    return this.#unacknowledged.length === 0;
  }

  end(): void {
    this.#ended = true;
    this.#socket?.close(1000);
    this.#notify();
  }

  async #stayConnected(): Promise<void> {
    let connections = 0;
    for (let attempt = 0; !this.#ended; attempt++) {
      if (attempt > 0) await sleep(backoffMs(attempt, undefined, Math.random()), this.#options.signal);
      if (this.#ended) return;
      const opened = await this.#liveOnce(connections === 0).catch(() => false);
      this.#socket = undefined;
      if (opened) {
        connections++;
        attempt = 0;
      }
      this.#downSince ??= performance.now();
      if (performance.now() - this.#downSince > this.#options.patienceMs) {
        this.#gaveUp = true;
        this.end();
      }
    }
  }

  /** Lives as long as one connection; true when it had been open. */
  async #liveOnce(isFirst: boolean): Promise<boolean> {
    const { url, token, headers } = await this.#options.connect();
    return await new Promise<boolean>((resolve) => {
      let opened = false;
      const socket = openClientSocket(url, token, headers);
      this.#socket = socket;
      socket.addEventListener("open", () => {
        opened = true;
        if (this.#ended) return socket.close(1000);
        this.#downSince = undefined;
        this.#options.onConnect?.(isFirst);
        this.#transmitAll();
        this.#notify();
      });
      socket.addEventListener("message", ({ data }) =>
        this.#receive(JSON.parse(String(data)) as ServerFrame),
      );
      socket.addEventListener("error", () => {}); // a close follows
      socket.addEventListener("close", () => resolve(opened));
    });
  }

  #flush(): void {
    if (this.#unacknowledged.length > 0) this.#socket?.sendIfOpen('{"type":"flush"}');
  }

  #transmit({ seq, report }: Unacknowledged): void {
    this.#socket?.sendIfOpen(JSON.stringify({ type: "report", seq, ...report }));
  }

  #transmitAll(): void {
    for (const entry of this.#unacknowledged) {
      entry.sentAt = performance.now(); // the latency of the try that succeeds
      this.#transmit(entry);
    }
  }

  #receive(frame: ServerFrame): void {
    if (frame.type === "ack") this.#acknowledge(frame);
    else if (frame.type === "problem") this.#options.onProblem?.(frame.code);
    else if (frame.type === "slow") this.#pause(frame.retryAfterMs, frame.seq !== undefined);
  }

  #acknowledge(ack: Ack): void {
    const now = performance.now();
    const rest = this.#unacknowledged.findIndex(({ seq }) => seq > ack.seq);
    const covered = this.#unacknowledged.splice(0, rest < 0 ? this.#unacknowledged.length : rest);
    const reports = covered.map(({ report, sentAt }) => ({ report, latencyMs: now - sentAt }));
    this.#options.onAck?.(ack, reports);
    this.#notify();
  }

  /**
   * Sends nothing for so long. Where a frame was not taken, what is unacknowledged is sent again after that, on the same
   * connection.
   */
  #pause(pauseMs: number, isRefused: boolean): void {
    const socket = this.#socket;
    this.#pausedUntil = performance.now() + pauseMs;
    void sleep(pauseMs, this.#options.signal).then(() => {
      if (isRefused && this.#socket === socket) this.#transmitAll();
      this.#notify();
    });
  }

  /** True when something changed, false when the time was up first. */
  #changeWithin(waitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), waitMs);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  #notify(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
