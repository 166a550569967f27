// Request text → parsed JSON values, one a report; a bad NDJSON line is a problem of its own and spoils no other.

/** Stands where the text had NaN or an infinity, which JSON has not but Python's json.dumps and others write. */
const NOT_FINITE = { NaN: "\u0000NaN", Infinity: "\u0000Infinity", "-Infinity": "\u0000-Infinity" } as const;

/** True for a value that stands for NaN or an infinity: the markers of `parseLenient`, or the words as text. */
export function isNotFinite(value: unknown): value is string {
  return typeof value === "string" && /^\u0000?(NaN|-?Infinity)$/.test(value);
}

/** The word a marker stands for, as a message may say it. */
export const withoutMarker = (text: string) => text.replace(/^\u0000/, "");

/** A string (one without an end goes to the end of the text, so that no part is read twice), or a word JSON lacks. */
const STRING_OR_WORD = /"[^"\\]*(?:\\[^][^"\\]*)*(?:"|\\?$)|-?Infinity|NaN/g;

/**
 * `JSON.parse` that reads bare NaN, Infinity and -Infinity as markers, so that their report's good readings are kept.
 * @throws SyntaxError as JSON.parse does.
 */
export function parseLenient(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    const marked = text.replace(STRING_OR_WORD, (token) =>
      token.startsWith('"') ? token : JSON.stringify(NOT_FINITE[token as keyof typeof NOT_FINITE]),
    );
    return JSON.parse(marked);
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
