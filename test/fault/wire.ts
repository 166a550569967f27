// A device's connection by hand over TCP, because it is to be cut after any byte: a WebSocket, or a request never finished.
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { ServerFrame } from "../../schemas/reading.ts";
import { frameBytes } from "../flow/raw-socket.ts";

const HANDSHAKE_MS_MAX = 5_000;

export class WireSocket {
  readonly frames: ServerFrame[] = [];
  isClosed = false;
  readonly #tcp: Socket;
  #unread = Buffer.alloc(0);
  #isUpgraded = false;
  #wake: () => void = () => undefined;

  private constructor(tcp: Socket) {
    this.#tcp = tcp;
    tcp.on("data", (bytes) => this.#take(bytes));
    for (const event of ["end", "close", "error"]) tcp.on(event, () => this.cut());
  }

  /** @throws when nobody answers, or not with an upgrade. */
  static async open(url: string, path: string, token: string, clockMs: number): Promise<WireSocket> {
    const { host, hostname, port } = new URL(url);
    const wire = new WireSocket(connect(Number(port), hostname));
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: ${host}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      "Sec-WebSocket-Version: 13",
      `Authorization: Bearer ${token}`,
      `telltale-clock: ${clockMs}`,
    ];
    wire.#tcp.write(`${lines.join("\r\n")}\r\n\r\n`);
    await wire.until(() => wire.#isUpgraded, HANDSHAKE_MS_MAX);
    if (wire.#isUpgraded) return wire;
    wire.cut();
    throw new Error("no upgrade");
  }

  /** Only the first `bytes` of the frame leave when that is said. */
  send(frame: object, bytes?: number): void {
    if (!this.isClosed) this.#tcp.write(frameBytes(Buffer.from(JSON.stringify(frame))).subarray(0, bytes));
  }

  /** Resolves when `done` holds, the connection is gone, or the time is over. */
  async until(done: () => boolean, withinMs: number): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (!done() && !this.isClosed && Date.now() < deadline) {
      const woken = Promise.withResolvers<void>();
      this.#wake = woken.resolve;
      const timer = setTimeout(woken.resolve, deadline - Date.now());
      await woken.promise;
      clearTimeout(timer);
    }
  }

  /** Ends the connection as a lost network does: no close frame, no goodbye. */
  cut(): void {
    this.isClosed = true;
    this.#tcp.resetAndDestroy();
    this.#wake();
  }

  #take(bytes: Uint8Array): void {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    if (!this.#isUpgraded) {
      const end = this.#unread.indexOf("\r\n\r\n");
      if (end < 0) return;
      if (!this.#unread.toString("latin1", 0, end).startsWith("HTTP/1.1 101")) {
        this.cut();
        return;
      }
      this.#isUpgraded = true;
      this.#unread = this.#unread.subarray(end + 4);
    }
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) {
      if (frame.opcode === OPCODE_TEXT) this.frames.push(JSON.parse(frame.payload.toString()) as ServerFrame);
      if (frame.opcode === OPCODE_CLOSE) this.cut();
    }
    this.#wake();
  }

  /** The next whole frame of the server: unmasked, and here never longer than 64 KB. */
  #next(): { opcode: number; payload: Buffer } | undefined {
    if (this.#unread.length < 2) return undefined;
    const short = this.#unread[1]! & 0x7f;
    const start = short < 126 ? 2 : 4;
    if (this.#unread.length < start) return undefined;
    const end = start + (short < 126 ? short : this.#unread.readUInt16BE(2));
    if (this.#unread.length < end) return undefined;
    const frame = { opcode: this.#unread[0]! & 0x0f, payload: this.#unread.subarray(start, end) };
    this.#unread = this.#unread.subarray(end);
    return frame;
  }
}

const OPCODE_TEXT = 1;
const OPCODE_CLOSE = 8;

/** Sends the first `bytes` of a POST, head and body, and cuts the line. */
export async function postPart(
  url: string,
  path: string,
  headers: Record<string, string>,
  body: string,
  bytes: number,
): Promise<void> {
  const { host, hostname, port } = new URL(url);
  const all = { host, "content-length": String(Buffer.byteLength(body)), ...headers };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = Buffer.from(`POST ${path} HTTP/1.1\r\n${head.join("")}\r\n${body}`);
  const tcp = connect(Number(port), hostname);
  tcp.on("error", () => undefined);
  await new Promise<void>((resolve) => {
    tcp.on("close", () => resolve());
    tcp.write(request.subarray(0, Math.min(bytes, request.length)), () => tcp.resetAndDestroy());
  });
}
