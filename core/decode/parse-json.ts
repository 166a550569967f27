// Request text → parsed JSON values, one a report; a bad NDJSON line is a problem of its own and spoils no other.

/** True for the words that stand for NaN and the infinities, which JSON lacks and Python's json.dumps and others write. */
export const isNotFinite = (value: unknown): value is string =>
  typeof value === "string" && /^(NaN|-?Infinity)$/.test(value);

/** A string (one without an end goes to the end of the text, so that no part is read twice), or a word JSON lacks. */
const STRING_OR_WORD = /"[^"\\]*(?:\\[\s\S][^"\\]*)*(?:"|\\?$)|-?Infinity|NaN/g;

/**
 * `JSON.parse` that reads bare NaN, Infinity and -Infinity as text, so that their report's good readings are kept.
 * @throws SyntaxError as JSON.parse does.
 */
export function parseLenient(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    return JSON.parse(
      text.replace(STRING_OR_WORD, (token) => (token.startsWith('"') ? token : `"${token}"`)),
    );
  }
}

export type ParsedReport = { ok: true; value: unknown } | { ok: false; message: string };

/** A JSON body: one report or an array of them. @throws SyntaxError when it is not JSON. */
export function parseJsonBody(text: string): ParsedReport[] {
  const value = parseLenient(text);
  return (Array.isArray(value) ? value : [value]).map((item) => ({ ok: true, value: item }));
}

/** An NDJSON body: one report a line; empty lines are skipped and have no index. */
export function parseNdjsonBody(text: string): ParsedReport[] {
  const parsed: ParsedReport[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    try {
      parsed.push({ ok: true, value: parseLenient(line) });
    } catch (error) {
      parsed.push({ ok: false, message: `the line is not JSON: ${(error as Error).message}` });
    }
  }
  return parsed;
}
