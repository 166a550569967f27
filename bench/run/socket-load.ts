// WebSocket load on many sockets: each keeps a window of messages unanswered. It speaks RFC 6455 itself, because the
// global WebSocket costs as much CPU a message as the server it would measure.
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

export interface SocketPlan {
  /** Most messages of a socket without an answer. */
  windowMessages: number;
  /** Asks for the answers that are held back, at the end of a turn. */
  flushFrame?: string;
  /** The text of message `n` (from 0) of socket `index`. */
  message(index: number, n: number): string;
  /** How many messages of a socket are answered once it has received this text, `before` having been; undefined: it is a failure. */
  answered(text: string, before: number): number | undefined;
}

export interface SocketTurn {
  /** Messages sent and answered. */
  answers: number;
  durationMs: number;
}

/** Until when each socket sends: for so long, or so many messages. */
export type TurnLength = { durationMs: number } | { messages: number };

/** Messages joined to one write: a device's own come one by one, and the kernel would join them anyway. */
const WRITE_MESSAGES = 16;
/** A turn whose last answers do not come is a failure. */
const LAST_ANSWERS_MS = 20_000;

/** Sockets that stay open over several turns. */
export class SocketFleet {
  readonly #sockets: LoadSocket[];

  private constructor(sockets: LoadSocket[]) {
    this.#sockets = sockets;
  }

  static async open(
    connections: { url: string; headers: Record<string, string> }[],
    plan: SocketPlan,
  ): Promise<SocketFleet> {
    const sockets = await Promise.all(connections.map(({ url, headers }) => open(url, headers)));
    return new SocketFleet(sockets.map((socket, index) => new LoadSocket(socket, index, plan)));
  }

  /** Sends, then waits until all that was sent is answered; the wait is part of the turn. @throws when a socket fails. */
  async run(length: TurnLength): Promise<SocketTurn> {
    const startedAt = performance.now();
    const answers = await Promise.all(this.#sockets.map((socket) => socket.run(length)));
    return { answers: answers.reduce((sum, n) => sum + n, 0), durationMs: performance.now() - startedAt };
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
  }
}

class LoadSocket {
  readonly #socket: Socket;
  readonly #index: number;
  readonly #plan: SocketPlan;
  #sent = 0;
  #answered = 0;
  #received: Buffer = Buffer.alloc(0);
  /** The turn that runs: how many may still be sent, and what ends it. */
  #left = 0;
  #end: ((failure?: Error) => void) | undefined;

  constructor(socket: Socket, index: number, plan: SocketPlan) {
    this.#socket = socket;
    this.#index = index;
    this.#plan = plan;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("close", () => this.#end?.(new Error("the server closed a socket")));
    socket.on("error", (error) => this.#end?.(error));
  }

  async run(length: TurnLength): Promise<number> {
    const before = this.#answered;
    this.#left = "messages" in length ? length.messages : Number.POSITIVE_INFINITY;
    const timers: NodeJS.Timeout[] = [];
    const sendMs = "durationMs" in length ? length.durationMs : 60_000;
    await new Promise<void>((resolve, reject) => {
      this.#end = (failure) => (failure === undefined ? resolve() : reject(failure));
      timers.push(setTimeout(() => this.#stop(), sendMs));
      timers.push(
        setTimeout(() => this.#end?.(new Error("the last answers did not come")), sendMs + LAST_ANSWERS_MS),
      );
      this.#fill();
    }).finally(() => {
      this.#end = undefined;
      for (const timer of timers) clearTimeout(timer);
    });
    return this.#answered - before;
  }

  close(): void {
    this.#socket.end(frame(0x8, Buffer.from([0x03, 0xe8])));
  }

  #fill(): void {
    const unanswered = this.#sent - this.#answered;
    const room = Math.min(this.#left, this.#plan.windowMessages - unanswered);
    if (this.#left === 0 && unanswered === 0) {
      this.#end?.();
      return;
    }
    if (room === 0 || room < Math.min(this.#left, WRITE_MESSAGES, this.#plan.windowMessages)) return;
    const frames = Array.from({ length: room }, () =>
      textFrame(this.#plan.message(this.#index, this.#sent++)),
    );
    this.#left -= room;
    this.#socket.write(Buffer.concat(frames));
    if (this.#left === 0) this.#flush();
  }

  #stop(): void {
    if (this.#left === 0) return;
    this.#left = 0;
    this.#flush();
    this.#fill();
  }

  #flush(): void {
    if (this.#plan.flushFrame !== undefined) this.#socket.write(textFrame(this.#plan.flushFrame));
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    for (let next = readFrame(this.#received); next !== undefined; next = readFrame(this.#received)) {
      this.#received = this.#received.subarray(next.end);
      const answered = next.opcode === 0x8 ? undefined : this.#plan.answered(next.text, this.#answered);
      if (answered === undefined) {
        this.#end?.(new Error(`a socket failed: ${next.text}`));
        return;
      }
      this.#answered = answered;
    }
    if (this.#end !== undefined) this.#fill();
  }
}

function open(url: string, headers: Record<string, string>): Promise<Socket> {
  const { hostname, port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const key = randomBytes(16).toString("base64");
    socket.write(
      `GET ${pathname}${search} HTTP/1.1\r\nhost: ${hostname}:${port}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n` +
        `sec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\n${lines.join("")}\r\n`,
    );
    socket.once("error", reject);
    socket.once("data", (head: Buffer) => {
      socket.off("error", reject);
      const text = head.toString("latin1");
      if (text.startsWith("HTTP/1.1 101") && text.endsWith("\r\n\r\n")) resolve(socket);
      else reject(new Error(`no WebSocket at ${url}: ${text.slice(0, 200)}`));
    });
  });
}

const textFrame = (text: string) => frame(0x1, Buffer.from(text));

/** A client's frame. The mask is zero, so masking changes nothing; RFC 6455 §5.3 wants it random against proxies that are not here. */
function frame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head =
    length < 126
      ? Buffer.from([0x80 | opcode, 0x80 | length])
      : Buffer.from([0x80 | opcode, 0xfe, length >> 8, length & 0xff]);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

/** The server's frame at the head of `bytes`; undefined while it is not whole. */
function readFrame(bytes: Buffer): { opcode: number; text: string; end: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const headBytes = short < 126 ? 2 : 4;
  if (bytes.length < headBytes) return undefined;
  const length = short < 126 ? short : bytes.readUInt16BE(2);
  const end = headBytes + length;
  if (bytes.length < end) return undefined;
  return { opcode: bytes[0]! & 0x0f, text: bytes.toString("utf8", headBytes, end), end };
}
