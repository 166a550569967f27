// A WebSocket of numbered frames (a zone's, the fleet's), kept open: reconnects with backoff from the last frame seen, and says how it stands.
import type { AskFrame, News, ViewerFrame, ZoneFrame } from "../../schemas/live.ts";
import { backoffMs } from "../base/backoff.ts";

export type StreamState = "connecting" | "live" | "reconnecting" | "paused";

/** The part of a WebSocket used here. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface StreamDeps {
  open(afterSeq: number | null): Socket;
  setTimer(run: () => void, delayMs: number): unknown;
  clearTimer(timer: unknown): void;
  random(): number;
}

/** What every frame has. */
export interface Numbered {
  type: ZoneFrame["type"];
  seq: number;
}

export interface StreamEvents<Frame extends Numbered> {
  onFrame(frame: News<Frame>): void;
  onState(state: StreamState): void;
  /** The socket was closed before it opened: the token may be at fault, which a browser does not tell. */
  onRefused(): void;
}

/** A socket can die without a word. After this long without one, a `pong` too, it is opened again from the last frame seen. */
export const SILENCE_MS_MAX = 75_000;

export class ZoneStream<Frame extends Numbered = ZoneFrame> {
  readonly #deps: StreamDeps;
  readonly #events: StreamEvents<Frame>;
  #socket: Socket | null = null;
  #lastSeq: number | null = null;
  #attempt = 0;
  #retryTimer: unknown = null;
  #silenceTimer: unknown = null;
  #closed = false;

  constructor(deps: StreamDeps, events: StreamEvents<Frame>) {
    this.#deps = deps;
    this.#events = events;
    events.onState("connecting");
    this.#connect();
  }

  /** Drops the connection and whatever it costs the fleet; `resume` takes it up where it was. */
  pause(): void {
    if (this.#closed || this.#socketIsIdle()) return;
    this.#drop();
    this.#events.onState("paused");
  }

  /** Connects at once if not connected: after a pause, or when the network is back. */
  resume(): void {
    if (this.#closed || this.#socket !== null) return;
    this.#attempt = 0;
    this.#events.onState("reconnecting");
    this.#connect();
  }

  /** The network is gone: no use in waiting for the socket to notice. */
  networkLost(): void {
    if (this.#closed || this.#socket === null) return;
    this.#drop();
    this.#retryLater();
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  #socketIsIdle(): boolean {
    return this.#socket === null && this.#retryTimer === null;
  }

  #connect(): void {
    this.#clearTimers();
    const socket = this.#deps.open(this.#lastSeq);
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#events.onState("live");
      this.#watchSilence();
    };
    socket.onmessage = ({ data }) => {
      this.#watchSilence();
      const frame = parseFrame<News<Frame> | AskFrame>(data);
      if (!frame) return;
      if (isAsk(frame)) {
        socket.send(JSON.stringify({ type: "ack", seq: frame.seq } satisfies ViewerFrame));
        return;
      }
      this.#attempt = 0;
      this.#lastSeq = frame.type === "snapshot" ? frame.seq : Math.max(this.#lastSeq ?? 0, frame.seq);
      this.#events.onFrame(frame);
    };
    socket.onclose = () => {
      this.#socket = null;
      this.#retryLater();
      if (!opened) this.#events.onRefused();
    };
  }

  #retryLater(): void {
    this.#clearTimers();
    this.#events.onState("reconnecting");
    const delayMs = backoffMs(this.#attempt++, this.#deps.random());
    this.#retryTimer = this.#deps.setTimer(() => this.#connect(), delayMs);
  }

  #watchSilence(): void {
    this.#deps.clearTimer(this.#silenceTimer);
    this.#silenceTimer = this.#deps.setTimer(() => {
      this.#drop();
      this.#connect();
    }, SILENCE_MS_MAX);
  }

  #drop(): void {
    this.#clearTimers();
    if (this.#socket === null) return;
    this.#socket.onopen = null;
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }

  #clearTimers(): void {
    this.#deps.clearTimer(this.#retryTimer);
    this.#deps.clearTimer(this.#silenceTimer);
    this.#retryTimer = null;
    this.#silenceTimer = null;
  }
}

/** We are asked whether we read what is sent, or else are cut off. */
const isAsk = (frame: Numbered): frame is AskFrame => frame.type === "ask";

const KNOWN: Record<ZoneFrame["type"], true> = {
  snapshot: true,
  update: true,
  left: true,
  alert: true,
  ask: true,
};

/** Frames of a type not known here are skipped: the server may be newer than the page. */
function parseFrame<Frame extends Numbered>(data: unknown): Frame | null {
  if (typeof data !== "string") return null;
  try {
    const frame = JSON.parse(data) as Frame;
    return Object.hasOwn(KNOWN, frame.type) && typeof frame.seq === "number" ? frame : null;
  } catch {
    return null;
  }
}
