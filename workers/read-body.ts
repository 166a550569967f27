// A request's body → text, inflated and never longer than its route takes.
import { gunzipSync } from "node:zlib";
import { Problem } from "./problem.ts";

/**
 * A client that is still sending when the connection ends sees that and not the answer, so what comes is read and
 * dropped; who sends more than this has to do without the answer.
 */
const DISCARDED_BYTES_MAX = 16 * 1024 * 1024;

/** How much a route takes of a body. */
export interface BodyLimit {
  /** Bytes after inflating. */
  mostBytes: number;
  /** What to do instead, as the end of a sentence. */
  remedy: string;
  /** What an isolate has taken on, which grows by what is read. @throws Problem `unavailable` when that is too much. */
  held?: { grow(bytes: number): void };
}

/**
 * Returns a request's body as text, "" for none. gzip is undone (`content-encoding`, RFC 1952 with all its members).
 * Holds at most `mostBytes` of what comes and as many of what it inflates to, whatever is sent.
 * What comes is taken on in `held` before it is read, where there is one.
 * @throws Problem `payload_too_large` (413), `unsupported_media_type` (415), `malformed_json` (400, not gzip or not
 * UTF-8), `unavailable` (503, too much is under way)
 */
export async function readBody(request: Request, limit: BodyLimit): Promise<string> {
  const isGzip = isGzipped(request.headers.get("content-encoding"));
  const bytes = await readBytes(request, limit);
  if (!isGzip || bytes.length === 0) return decode(bytes);
  const inflated = inflate(bytes, limit);
  limit.held?.grow(Math.max(0, inflated.length - bytes.length));
  return decode(inflated);
}

/**
 * Whether a body is encoded by gzip, as RFC 9110 §8.4 writes it: a list in any case, in which `x-gzip` is `gzip` and
 * `identity` says nothing.
 * @throws Problem `unsupported_media_type` of any other encoding, and of several.
 */
function isGzipped(header: string | null): boolean {
  const encodings = (header ?? "").split(",").map((name) => name.trim().toLowerCase());
  const said = encodings.filter((name) => name !== "" && name !== "identity");
  if (said.length === 0) return false;
  if (said.length === 1 && (said[0] === "gzip" || said[0] === "x-gzip")) return true;
  throw new Problem(
    "unsupported_media_type",
    `content-encoding ${said.join(", ").slice(0, 80)} is not known; send gzip (once) or none`,
  );
}

async function readBytes(request: Request, limit: BodyLimit): Promise<Uint8Array> {
  const length = Number(request.headers.get("content-length") ?? 0);
  if (length > limit.mostBytes) {
    if (request.body !== null) await discard(request.body.getReader());
    throw tooLarge(String(length), limit);
  }
  if (request.body === null) return new Uint8Array();
  if (length > 0) {
    limit.held?.grow(length);
    return new Uint8Array(await request.arrayBuffer()); // HTTP ends it there
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    if (bytes > limit.mostBytes) {
      await discard(reader);
      throw tooLarge(`${bytes} or more`, limit);
    }
    try {
      limit.held?.grow(value.length);
    } catch (error) {
      await reader.cancel().catch(() => undefined);
      throw error;
    }
    chunks.push(value);
  }
  const whole = new Uint8Array(bytes);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

/**
 * Inflates a gzip file as RFC 1952 §2.2 has it: members one after another, and zeros that fill up the end. The runtime's
 * DecompressionStream takes one member only, and node's gunzip leaves what follows zeros unread; here that is refused.
 */
function inflate(bytes: Uint8Array, limit: BodyLimit): Uint8Array {
  let inflated: Inflated;
  try {
    const options = { maxOutputLength: limit.mostBytes, info: true };
    inflated = gunzipSync(bytes, options) as unknown as Inflated;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (!code?.startsWith("Z_")) throw tooLarge(`more than ${limit.mostBytes}`, limit);
    throw notGzip(message);
  }
  const { buffer, engine } = inflated;
  if (bytes.subarray(engine.bytesWritten).some((byte) => byte !== 0))
    throw notGzip(`${bytes.length - engine.bytesWritten} bytes follow its end`);
  return buffer;
}

/** What gunzipSync returns with `info`. `bytesWritten`: how many bytes the members take. */
interface Inflated {
  buffer: Uint8Array;
  engine: { bytesWritten: number };
}

const notGzip = (why: string) =>
  new Problem(
    "malformed_json",
    `the body could not be inflated as gzip: ${why}; after a member come others, or zeros, up to the end`,
  );

async function discard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  for (let bytes = 0; bytes <= DISCARDED_BYTES_MAX; ) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    if (done || value === undefined) return;
    bytes += value.length;
  }
  await reader.cancel().catch(() => undefined);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw new Problem("malformed_json", "the body is not UTF-8");
  }
}

const tooLarge = (bytes: string, { mostBytes, remedy }: BodyLimit) =>
  new Problem(
    "payload_too_large",
    `the body has ${bytes} bytes (after inflating); at most ${mostBytes} are taken: ${remedy}`,
  );
