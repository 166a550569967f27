// A file's bytes → its lines, checked to be UTF-8, in bounded memory.
import { isUtf8 } from "node:buffer";
import { LINE_BYTES_MAX, type Line, type LineSource } from "../../core/decode/csv-records.ts";

const [LF, CR] = [0x0a, 0x0d];
const NOTHING = Buffer.alloc(0);
const REPLACEMENT = Buffer.from("\ufffd");

/** The lines of some bytes, one at a time; they may be put back. */
export class Lines implements LineSource {
  readonly #blocks: AsyncGenerator<Line[]>;
  #block: Line[] = [];
  #next = 0;

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#blocks = blocksOf(bytes);
  }

  /** Undefined at the end. @throws an Error that says where the bytes are no UTF-8. */
  async next(): Promise<Line | undefined> {
    while (this.#next === this.#block.length) {
      const { done, value } = await this.#blocks.next();
      if (done) return undefined;
      this.#block = value;
      this.#next = 0;
    }
    return this.#block[this.#next++];
  }

  putBack(lines: readonly Line[]): void {
    const from = this.#next - lines.length;
    if (lines.length === 0 || this.#block[from] === lines[0]) {
      this.#next = from;
      return;
    }
    this.#block = [...lines, ...this.#block.slice(this.#next)];
    this.#next = 0;
  }

  async close(): Promise<void> {
    await this.#blocks.return(undefined);
  }
}

/**
 * Lines end with LF or CRLF, or with CR where the first one does. At most a line of LINE_BYTES_MAX waits for its end;
 * what is longer is let go as it comes.
 */
async function* blocksOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Line[]> {
  let rest: Buffer = NOTHING;
  let line = 0;
  let end: number | undefined;
  let isTooLong = false;
  for await (const chunk of bytes) {
    const block: Buffer = Buffer.concat([rest, chunk]);
    end ??= endIn(block);
    const until = end === undefined ? 0 : block.lastIndexOf(end) + 1;
    if (until > 0) {
      const lines = linesIn(block.subarray(0, until - 1), end!, line);
      if (isTooLong) lines[0]!.text = undefined;
      isTooLong = false;
      line += lines.length;
      yield lines;
    }
    rest = block.subarray(until);
    if (rest.length <= LINE_BYTES_MAX) continue;
    if (line === 0 && !isTooLong) checkFirst(rest);
    isTooLong = true;
    rest = NOTHING;
  }
  if (isTooLong) yield [{ line: line + 1, text: undefined }];
  else if (rest.length > 0) yield linesIn(rest.at(-1) === CR ? rest.subarray(0, -1) : rest, end ?? LF, line);
}

/** The byte that ends lines; a CR at the end may yet be followed by LF. */
function endIn(block: Buffer): number | undefined {
  const at = block.findIndex((byte) => byte === LF || byte === CR);
  if (at < 0 || at + 1 === block.length) return block[at] === LF ? LF : undefined;
  return block[at] === CR && block[at + 1] !== LF ? CR : LF;
}

/** `before`: how many lines came before these. */
function linesIn(block: Buffer, end: number, before: number): Line[] {
  if (before === 0) checkFirst(block);
  if (!isUtf8(block)) throw notUtf8(block, end, before);
  const texts = block.toString().split(end === LF ? "\n" : "\r");
  if (before === 0 && texts[0]!.startsWith("\ufeff")) texts[0] = texts[0]!.slice(1);
  return texts.map((text, i) => ({
    line: before + i + 1,
    text: text.length > LINE_BYTES_MAX ? undefined : text.endsWith("\r") ? text.slice(0, -1) : text,
  }));
}

/** @throws for what other encodings begin with. */
function checkFirst(block: Buffer): void {
  const [a, b, c, d] = block;
  const isUtf32 = (a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe);
  if (isUtf32) throw otherEncoding("UTF-32");
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) throw otherEncoding("UTF-16");
  if (block.subarray(0, 1024).includes(0))
    throw new Error("it has zero bytes, so it is UTF-16, or no text; a text is taken as UTF-8");
}

const otherEncoding = (name: string) =>
  new Error(`it is ${name}, and a text is taken as UTF-8: convert it with iconv -f ${name} -t UTF-8`);

function notUtf8(block: Buffer, end: number, before: number): Error {
  let line = before + 1;
  for (let start = 0; ; line++) {
    const found = block.indexOf(end, start);
    const own = block.subarray(start, found < 0 ? block.length : found);
    if (!isUtf8(own)) {
      const at = firstBad(own);
      const byte = own[at]!.toString(16).padStart(2, "0");
      return new Error(
        `line ${line} is not UTF-8, from its byte ${at + 1} (0x${byte}) on: save it as UTF-8, or convert it, perhaps with iconv -f WINDOWS-1252 -t UTF-8`,
      );
    }
    start = found + 1;
  }
}

/** The first byte that is not UTF-8; in there it becomes U+FFFD, which may also stand in the text itself. */
function firstBad(bytes: Buffer): number {
  const text = bytes.toString();
  for (let at = text.indexOf("\ufffd"), offset = 0, from = 0; ; at = text.indexOf("\ufffd", from)) {
    offset += Buffer.byteLength(text.slice(from, at));
    if (!bytes.subarray(offset, offset + 3).equals(REPLACEMENT)) return offset;
    offset += 3;
    from = at + 1;
  }
}
