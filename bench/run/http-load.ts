// Closed-loop HTTP/1.1 load on kept connections: one request in flight on each, the next when the answer is whole.
// It writes bytes to sockets itself, because `fetch` and `node:http` would cost more CPU than the server they measure.
import { connect } from "node:net";

export interface HttpLoad {
  url: string;
  connections: number;
  durationMs: number;
  /** The bytes of the next request, head and body; undefined ends the connection that asks. */
  next(): string | undefined;
}

export interface LoadResult {
  answers: number;
  durationMs: number;
  /** Of each answer, unsorted. */
  latenciesMs: number[];
  /** The first answer that was not 2xx, its body with it. */
  failure: string | undefined;
}

const HEAD_END = Buffer.from("\r\n\r\n");

/** Runs for `durationMs`, lets what is in flight end, and resolves. */
export async function loadHttp(load: HttpLoad): Promise<LoadResult> {
  const startedAt = performance.now();
  const result: LoadResult = { answers: 0, durationMs: 0, latenciesMs: [], failure: undefined };
  await Promise.all(Array.from({ length: load.connections }, () => runConnection(load, startedAt, result)));
  result.durationMs = performance.now() - startedAt;
  return result;
}

function runConnection(load: HttpLoad, startedAt: number, result: LoadResult): Promise<void> {
  const { hostname, port } = new URL(load.url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    let sentAt = 0;
    let received: Buffer = Buffer.alloc(0);
    const send = () => {
      const isOver = performance.now() - startedAt >= load.durationMs || result.failure !== undefined;
      const request = isOver ? undefined : load.next();
      if (request === undefined) {
        socket.end();
        resolve();
        return;
      }
      sentAt = performance.now();
      socket.write(request, "latin1");
    };
    socket.on("connect", send);
    socket.on("error", reject);
    socket.on("close", () => resolve());
    socket.on("data", (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const end = endOfAnswer(received);
      if (end === undefined) return;
      result.latenciesMs.push(performance.now() - sentAt);
      result.answers += 1;
      if (received[9] !== 0x32) result.failure ??= received.toString("utf8");
      received = received.subarray(end);
      send();
    });
  });
}

/** Where the answer at the head of `bytes` ends; undefined while it is not whole. */
function endOfAnswer(bytes: Buffer): number | undefined {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = bytes.toString("latin1", 0, headEnd);
  const bodyAt = headEnd + HEAD_END.length;
  if (/^HTTP\/1.1 204/.test(head)) return bodyAt;
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const end = bodyAt + Number(length);
    return bytes.length >= end ? end : undefined;
  }
  const end = bytes.indexOf("0\r\n\r\n", bodyAt, "latin1"); // chunked: our answers hold no such text
  return end < 0 ? undefined : end + 5;
}
