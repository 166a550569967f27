// A stand-in for a server, for the tests of replay: keeps what it took, judges duplicates, and misbehaves on demand.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { VerdictCounts } from "./tally.ts";

interface StubReport {
  device: string;
  at: number;
  metrics: Record<string, number>;
  seq?: number;
  clockMs?: number;
}
export interface StubRequest {
  path: string;
  headers: IncomingMessage["headers"];
  reports: StubReport[];
}
/** What to do with a request instead of answering it; undefined: answer it. */
export type Misbehaviour = { status: number; body?: string; retryAfter?: string } | "hang-up" | undefined;

export class StubServer {
  readonly requests: StubRequest[] = [];
  /** Devices in order of arrival, with the instants taken. */
  readonly taken = new Map<string, number[]>();
  readonly sealed: string[] = [];
  /** What was put of each device. */
  readonly profiles = new Map<string, unknown>();
  /** Asked for each POST of telemetry, with its number from 0. */
  misbehave: (request: number, reports: StubReport[]) => Misbehaviour = () => undefined;
  /** Asked for each socket frame; true cuts the connection instead. */
  cutAt: (frame: number) => boolean = () => false;
  /** Asked for each socket frame; true asks the device to slow down, and takes the frame. */
  warnsAt: (frame: number) => boolean = () => false;
  /** Acknowledge at a flush only. */
  holdsReports = false;
  /** Token a caller must have, if set. */
  token: string | undefined;
  connections = 0;
  #frames = 0;
  #readings = new Map<string, number>();
  #sockets = new Set<Duplex>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  async listen(): Promise<string> {
    this.#server.on("upgrade", (request, socket) => this.#connect(request, socket));
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  take(reports: StubReport[]): VerdictCounts {
    const counts = { stored: 0, duplicate: 0, corrected: 0, late: 0, quarantined: 0, refused: 0 };
    for (const { device, at, metrics } of reports) {
      this.taken.set(device, [...(this.taken.get(device) ?? []), at]);
      for (const [metric, value] of Object.entries(metrics)) {
        const key = `${device} ${metric} ${at}`;
        const known = this.#readings.get(key);
        counts[known === undefined ? "stored" : known === value ? "duplicate" : "corrected"]++;
        this.#readings.set(key, value);
      }
    }
    return counts;
  }

  #authorised(headers: IncomingMessage["headers"]): boolean {
    return this.token === undefined || headers.authorization === `Bearer ${this.token}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const send = (status: number, body: object, headers: Record<string, string> = {}) =>
      response
        .writeHead(status, { "content-type": "application/json", ...headers })
        .end(JSON.stringify(body));
    const path = request.url ?? "";
    if (!this.#authorised(request.headers))
      return void send(401, { code: "token_invalid", detail: "no such token" });
    const seal = /^\/v1\/devices\/(.+)\/seal$/.exec(path)?.[1];
    if (seal !== undefined) {
      this.sealed.push(decodeURIComponent(seal));
      return void send(200, { sealed: 1, pending: 0 });
    }
    const device = /^\/v1\/devices\/([^/]+)$/.exec(path)?.[1];
    if (device !== undefined) {
      this.profiles.set(decodeURIComponent(device), JSON.parse(Buffer.concat(chunks).toString()));
      return void send(200, {});
    }
    const lines = Buffer.concat(chunks).toString().split("\n");
    const reports = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as StubReport);
    const misbehaviour = this.misbehave(this.requests.length, reports);
    this.requests.push({ path, headers: request.headers, reports });
    if (misbehaviour === "hang-up") return void request.socket.destroy();
    if (misbehaviour) {
      const headers = misbehaviour.retryAfter === undefined ? {} : { "retry-after": misbehaviour.retryAfter };
      return void response.writeHead(misbehaviour.status, headers).end(misbehaviour.body ?? "");
    }
    send(200, { ...this.take(reports), problems: [] });
  }

  /** As much of RFC 6455 as short text frames need. */
  #connect(request: IncomingMessage, socket: Duplex): void {
    if (!this.#authorised(request.headers)) return void socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
    this.connections++;
    this.#sockets.add(socket);
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n` +
        "Sec-WebSocket-Protocol: telltale.v1\r\n\r\n",
    );
    this.requests.push({ path: request.url ?? "", headers: request.headers, reports: [] });
    const claims = (request.headers.authorization ?? "").split(".")[1];
    const device = claims ? (JSON.parse(atob(claims)) as { device: string }).device : "unknown";
    const held: StubReport[] = [];
    const settle = () => {
      const seq = held.at(-1)?.seq;
      if (seq !== undefined)
        socket.write(textFrame(JSON.stringify({ type: "ack", seq, ...this.take(held.splice(0)) })));
    };
    let buffer = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk]);
      for (let frame = readFrame(buffer); frame; frame = readFrame(buffer)) {
        buffer = buffer.subarray(frame.bytes);
        if (frame.opcode === 8) return void socket.end(Buffer.from([0x88, 0]));
        const message = JSON.parse(frame.text) as StubReport & { type: string };
        if (this.warnsAt(this.#frames))
          socket.write(textFrame(JSON.stringify({ type: "slow", retryAfterMs: 1 })));
        if (this.cutAt(this.#frames++)) return void socket.destroy();
        if (message.type === "report") held.push({ ...message, device });
        if (message.type === "flush" || !this.holdsReports) settle();
      }
    });
  }
}

function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head =
    payload.length < 126 ? [0x81, payload.length] : [0x81, 126, payload.length >> 8, payload.length & 255];
  return Buffer.concat([Buffer.from(head), payload]);
}

function readFrame(buffer: Buffer): { opcode: number; text: string; bytes: number } | undefined {
  if (buffer.length < 2) return undefined;
  const short = buffer[1]! & 127;
  const lengthBytes = short === 126 ? 2 : 0;
  if (buffer.length < 6 + lengthBytes) return undefined;
  const length = lengthBytes ? buffer.readUInt16BE(2) : short;
  const start = 6 + lengthBytes;
  if (buffer.length < start + length) return undefined;
  const mask = buffer.subarray(start - 4, start);
  const payload = Buffer.from(
    buffer.subarray(start, start + length).map((byte, index) => byte ^ mask[index % 4]!),
  );
  return { opcode: buffer[0]! & 15, text: payload.toString(), bytes: start + length };
}
