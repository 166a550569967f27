// A request's body → text, inflated and never longer than the limit.
import { BODY_BYTES_MAX } from "../../schemas/limits.ts";
import { Problem } from "../problem.ts";

/**
 * A client that is still sending when the connection ends sees that and not the answer, so what comes is read and
 * dropped; who sends more than this has to do without the answer.
 */
const DISCARDED_BYTES_MAX = 16 * 1024 * 1024;

/**
 * The body as text; `content-encoding: gzip` is undone while counting, so a bomb is stopped at the limit.
 * @throws Problem `payload_too_large` (413), `unsupported_media_type` (415), `malformed_json` (400, not gzip or not UTF-8)
 */
export async function readBody(request: Request): Promise<string> {
  const encoding = (request.headers.get("content-encoding") ?? "identity").toLowerCase();
  if (encoding !== "identity" && encoding !== "gzip") {
    throw new Problem(
      "unsupported_media_type",
      `content-encoding ${encoding} is not known; send gzip or none`,
    );
  }
  const length = Number(request.headers.get("content-length") ?? 0);
  if (length > BODY_BYTES_MAX) {
    if (request.body !== null) await discard(request.body.getReader());
    throw tooLarge(length);
  }
  if (request.body === null) return "";
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  if (encoding === "identity" && length > 0) return decode(decoder, await request.arrayBuffer());

  const stream: ReadableStream<Uint8Array> =
    encoding === "gzip" ? request.body.pipeThrough(new DecompressionStream("gzip")) : request.body;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch((error: Error) => {
      throw new Problem("malformed_json", `the body could not be inflated as gzip: ${error.message}`);
    });
    if (done) break;
    bytes += value.length;
    if (bytes > BODY_BYTES_MAX) {
      await (encoding === "gzip" ? reader.cancel().catch(() => undefined) : discard(reader));
      throw tooLarge(bytes);
    }
    chunks.push(value);
  }
  const whole = new Uint8Array(bytes);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return decode(decoder, whole);
}

async function discard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  for (let bytes = 0; bytes <= DISCARDED_BYTES_MAX; ) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    if (done || value === undefined) return;
    bytes += value.length;
  }
  await reader.cancel().catch(() => undefined);
}

function decode(decoder: TextDecoder, bytes: ArrayBuffer | Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Problem("malformed_json", "the body is not UTF-8");
  }
}

const tooLarge = (bytes: number) =>
  new Problem(
    "payload_too_large",
    `the body has ${bytes} bytes or more (after inflating); at most ${BODY_BYTES_MAX} are taken: send it in parts`,
  );
