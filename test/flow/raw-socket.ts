// A WebSocket by hand over TCP, to do what no library does: half a message, a lie about the length, a sudden end.
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { until } from "./until.ts";

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8 } as const;

/** One frame, masked as a client's must be. `last` false: more of the message is to come. */
export function frameBytes(payload: Uint8Array, opcode: number = OPCODE.text, last = true): Buffer {
  const mask = randomBytes(4);
  const masked = payload.map((byte, index) => byte ^ mask[index % 4]!);
  const head = Buffer.alloc(payload.length < 126 ? 2 : payload.length < 65_536 ? 4 : 10);
  head[0] = (last ? 0x80 : 0) | opcode;
  head[1] = 0x80 | (head.length === 2 ? payload.length : head.length === 4 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(payload.length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, mask, masked]);
}

export class RawSocket {
  /** Text frames that came. */
  readonly texts: string[] = [];
  /** Code of the close frame that came; 0: one without a code. */
  closeCode: number | undefined;
  /** The other side ended the connection. */
  isEnded = false;
  readonly #tcp: Socket;
  #unread = Buffer.alloc(0);
  #upgraded = false;

  private constructor(tcp: Socket) {
    this.#tcp = tcp;
    tcp.on("data", (bytes) => this.#take(bytes));
    tcp.on("end", () => {
      this.isEnded = true;
    });
    tcp.on("error", () => {
      this.isEnded = true;
    });
  }

  static async open(address: string, token: string): Promise<RawSocket> {
    const url = new URL(address);
    const raw = new RawSocket(connect(Number(url.port), url.hostname));
    const lines = [
      `GET ${url.pathname}${url.search} HTTP/1.1`,
      `Host: ${url.host}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Protocol: telltale.v1",
      `Authorization: Bearer ${token}`,
    ];
    raw.#tcp.write(`${lines.join("\r\n")}\r\n\r\n`);
    await until("the upgrade", () => raw.#upgraded || undefined);
    return raw;
  }

  send(frame: object): void {
    this.write(frameBytes(Buffer.from(JSON.stringify(frame))));
  }

  write(bytes: Uint8Array): void {
    this.#tcp.write(bytes);
  }

  /** The first text that says all of this. */
  next(...words: string[]): Promise<string> {
    return until(`a frame with ${words.join()}; came: ${this.texts.join()}`, () =>
      this.texts.find((text) => words.every((word) => text.includes(word))),
    );
  }

  /** Waits for the other side's close frame, answers it as RFC 6455 §5.5.1 has it, and waits for the connection to end. */
  async closedByServer(): Promise<number> {
    const code = await until("a close frame", () => this.closeCode);
    this.write(frameBytes(Uint8Array.of(code >> 8, code & 0xff), OPCODE.close));
    await until("the end of the connection", () => this.isEnded || undefined);
    return code;
  }

  /** Ends the connection as a lost network does: no close frame, no goodbye. */
  vanish(): void {
    this.#tcp.resetAndDestroy();
  }

  #take(bytes: Uint8Array): void {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    if (!this.#upgraded) {
      const end = this.#unread.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = this.#unread.subarray(0, end).toString();
      if (!head.startsWith("HTTP/1.1 101")) throw new Error(head);
      this.#upgraded = true;
      this.#unread = this.#unread.subarray(end + 4);
    }
    for (let frame = this.#frame(); frame !== undefined; frame = this.#frame()) {
      if (frame.opcode === OPCODE.text) this.texts.push(frame.payload.toString());
      if (frame.opcode === OPCODE.close)
        this.closeCode = frame.payload.length < 2 ? 0 : frame.payload.readUInt16BE();
    }
  }

  /** Reads nothing more: what the server sends waits on its side, and on the way. */
  pause(): void {
    this.#tcp.pause();
  }

  resume(): void {
    this.#tcp.resume();
  }

  /** The next whole frame of the server: unmasked. */
  #frame(): { opcode: number; payload: Buffer } | undefined {
    if (this.#unread.length < 2) return undefined;
    const short = this.#unread[1]! & 0x7f;
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (this.#unread.length < start) return undefined;
    const long = () =>
      short === 126 ? this.#unread.readUInt16BE(2) : Number(this.#unread.readBigUInt64BE(2));
    const end = start + (short < 126 ? short : long());
    if (this.#unread.length < end) return undefined;
    const frame = { opcode: this.#unread[0]! & 0x0f, payload: this.#unread.subarray(start, end) };
    this.#unread = this.#unread.subarray(end);
    return frame;
  }
}
