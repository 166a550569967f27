// Request text → parsed JSON values, one a report; a bad NDJSON line is a problem of its own and spoils no other. Every step
// reads the text from its start to its end a fixed number of times, whatever stands in it.

/**
 * NaN and the infinities, as Python, C (`-nan(ind)`, and `1.#QNAN` of an old MSVC), Go, R, Arduino (`ovf`: too large to
 * print) and others write them.
 */
const WORD = String.raw`[+-]?(?:nan(?:\(\w{0,32}\))?|inf(?:inity)?|ovf|1\.#(?:inf|ind|qnan|snan)0{0,32})`;
const NOT_FINITE = new RegExp(`^${WORD}$`, "i");

/** Whether a value is the text of one of the words that stand for NaN and the infinities, which JSON lacks. */
export const isNotFinite = (value: unknown): value is string =>
  typeof value === "string" && value.length < 64 && NOT_FINITE.test(value);

const LIKE_A_WORD = /nan|inf|ovf|#/i;
const WORDS = new RegExp(`"|${WORD}`, "gi");
const WORDS_AND_NUMBERS = new RegExp(`"|${WORD}|-?\\d[\\d.eE+-]*`, "gi");
/** Only a text with a number of so many digits before its point can hold an integer that float64 does not. */
const LONG_INTEGER = /(?<![\d.])\d{16}/;

/**
 * Parses JSON as `JSON.parse` does, but returns bare words for NaN and the infinities as text, so that the good
 * readings beside them are kept.
 * @throws SyntaxError as JSON.parse does.
 */
export function parseLenient(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!LIKE_A_WORD.test(text)) throw error;
    return JSON.parse(rewrite(text, WORDS, (word) => ` ${JSON.stringify(word)} `));
  }
}

/**
 * A JSON value. `written`: the same value with the text of every number that is not in `value` as it was written: a bare
 * word (there it is Infinity), and an integer that was rounded; undefined: all are.
 */
export interface ParsedValue {
  value: unknown;
  written?: unknown;
}

/**
 * Parses JSON as `JSON.parse` does, and bare words for NaN and the infinities as a number that is not finite.
 * @throws SyntaxError as JSON.parse does.
 */
export function parseNumbers(text: string): ParsedValue {
  let value: unknown;
  let hasWords = false;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!LIKE_A_WORD.test(text)) throw error;
    // The blanks keep a word what it is: 1nan is no number.
    value = JSON.parse(rewrite(text, WORDS, () => " 1e999 "));
    hasWords = true;
  }
  if (!hasWords && !LONG_INTEGER.test(text)) return { value };
  const shown = rewrite(text, WORDS_AND_NUMBERS, (token) => (isKept(token) ? token : JSON.stringify(token)));
  return { value, written: shown === text ? undefined : JSON.parse(shown) };
}

/**
 * Whether a token is a number that its float64 stands for. A decimal is: the nearest float64 is what is meant by it. An
 * integer is when it has that very value, or is how JSON writes it (1152921504606847000 for 2^60).
 */
export function isKept(token: string): boolean {
  if (NOT_FINITE.test(token)) return false;
  const value = Number(token);
  if (token.length < 16 || !Number.isFinite(value) || !/^-?\d+$/.test(token)) return true;
  return String(value) === token || BigInt(value) === BigInt(token);
}

/**
 * Returns `text` with every token outside of its strings replaced; the text itself when there is none.
 * @param tokens matches a quote, or what is replaced; global
 */
function rewrite(text: string, tokens: RegExp, replace: (token: string) => string): string {
  let done = "";
  let parts: string[] = [];
  let from = 0;
  tokens.lastIndex = 0;
  for (let match = tokens.exec(text); match !== null; match = tokens.exec(text)) {
    if (match[0] === '"') {
      tokens.lastIndex = endOfString(text, match.index);
      continue;
    }
    const token = replace(match[0]);
    if (token === match[0]) continue;
    parts.push(text.slice(from, match.index), token);
    from = tokens.lastIndex;
    if (parts.length < PARTS_MAX) continue;
    done += parts.join("");
    parts = [];
  }
  return from === 0 ? text : done + parts.join("") + text.slice(from);
}

/** Parts that are joined at once: each has its own head in memory, 4 MiB of words a million. */
const PARTS_MAX = 8_192;

/** Returns where the string that begins at `start` is over; one that has no end is over with the text. */
function endOfString(text: string, start: number): number {
  for (let from = start + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return text.length;
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    from = quote + 1;
  }
}

const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** One report of a body as JSON, or why it is none. */
export type ParsedReport = ({ ok: true } & ParsedValue) | { ok: false; message: string };

/**
 * Whether a JSON body is an array of more than `most` values. Looks no further than the value that is too much, and
 * parses nothing; of a text that is no JSON it says anything.
 */
export function hasMoreElements(text: string, most: number): boolean {
  if (text.length <= 2 * most) return false; // each takes a character and a comma
  const start = text.search(/\S/);
  if (text.charCodeAt(start) !== OPEN_ARRAY) return false;
  let depth = 0;
  let commas = 0;
  for (let i = start; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === QUOTE) i = endOfString(text, i) - 1;
    else if (character === OPEN_ARRAY || character === OPEN_OBJECT) depth += 1;
    else if (character === CLOSE_ARRAY || character === CLOSE_OBJECT) depth -= 1;
    else if (character === COMMA && depth === 1 && ++commas >= most) return true;
  }
  return false;
}

/** Whether an NDJSON body has more than `most` lines that are not empty; looks no further than the one that is too much. */
export function hasMoreLines(text: string, most: number): boolean {
  if (text.length <= 2 * most) return false;
  let lines = 0;
  for (const _line of linesOf(text)) if (++lines > most) return true;
  return false;
}

/**
 * Whether a text has more than `most` brackets that open, those in strings included: an empty object of two bytes takes
 * forty in memory.
 */
export function hasMoreBrackets(text: string, most: number): boolean {
  let brackets = 0;
  for (let i = 0; i < text.length && text.length > most; i++) {
    const character = text.charCodeAt(i);
    if ((character === OPEN_ARRAY || character === OPEN_OBJECT) && ++brackets > most) return true;
  }
  return false;
}

/** Whether a text that is no JSON is rather one report a line. */
export function looksLikeLines(text: string): boolean {
  const lines = linesOf(text);
  const [first, second] = [lines.next().value?.trim(), lines.next().value?.trim()];
  return first?.startsWith("{") === true && first.endsWith("}") && second?.startsWith("{") === true;
}

/** The lines of a text that are not empty. Of what is empty nothing is made: 4 MiB of line ends are no lines. */
function* linesOf(text: string): Generator<string, undefined> {
  const visible = /\S/g;
  for (let from = 0; ; ) {
    visible.lastIndex = from;
    const found = visible.exec(text);
    if (found === null) return;
    const start = Math.max(from, text.lastIndexOf("\n", found.index) + 1);
    const end = text.indexOf("\n", found.index);
    from = end < 0 ? text.length : end;
    yield text.slice(start, from);
  }
}

/**
 * Parses a JSON body: one report or an array of them.
 * @throws SyntaxError when it is not JSON.
 */
export function parseJsonBody(text: string): ParsedReport[] {
  const { value, written } = parseNumbers(text);
  if (!Array.isArray(value)) return [{ ok: true, value, written }];
  return value.map((item, i) => ({
    ok: true,
    value: item,
    written: (written as unknown[] | undefined)?.[i],
  }));
}

/**
 * Parses an NDJSON body: one report a line; empty lines are skipped and have no index. A line that is not JSON is a
 * report that is not `ok`.
 */
export function parseNdjsonBody(text: string): ParsedReport[] {
  const parsed: ParsedReport[] = [];
  for (const line of linesOf(text)) {
    try {
      parsed.push({ ok: true, ...parseNumbers(line) });
    } catch (error) {
      parsed.push({ ok: false, message: `the line is not JSON: ${(error as Error).message}` });
    }
  }
  return parsed;
}
