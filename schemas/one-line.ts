// Text that people and devices give → the first character of it that no line of visible text has; free of zod so the hot path may import it.

/**
 * Controls (C0, DEL, C1), the separators of lines and paragraphs, the marks that turn the direction of what is beside
 * them (Unicode's Bidi_Control), and half a surrogate pair. In a header or a subject the first end it, in a list the
 * others make a name look like another one.
 */
const ODD = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/u;
/** The same but for what text of several lines has: tab, line feed and carriage return. */
const ODD_IN_LINES = /[^\P{Cc}\t\n\r]|[\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/u;

/**
 * Returns which character of a text is none of a line of visible text, and its place, for people; undefined when all
 * are. `lines` allows tabs and line ends.
 * @example oddCharacter("a\nb") === "U+000A (a line break) as character 2"
 */
export function oddCharacter(text: string, lines: "one" | "many" = "one"): string | undefined {
  const found = (lines === "one" ? ODD : ODD_IN_LINES).exec(text);
  if (found === null) return undefined;
  const code = found[0].codePointAt(0)!;
  const place = [...text.slice(0, found.index)].length + 1;
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")} (${kindOf(code)}) as character ${place}`;
}

function kindOf(code: number): string {
  if (code === 0x0a || code === 0x0d || code === 0x85 || code === 0x2028 || code === 0x2029)
    return "a line break";
  if (code >= 0xd800 && code <= 0xdfff) return "half a surrogate pair";
  return code < 0xa0 ? "a control character" : "a mark that turns the direction of text";
}

/**
 * Returns a text as one line of visible text: a run of line ends, tabs, controls and blanks becomes one blank, marks
 * of direction go, and half a surrogate pair becomes U+FFFD.
 */
export const oneLine = (text: string): string =>
  text
    .toWellFormed()
    .replace(/\p{Bidi_Control}+/gu, "")
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ")
    .trim();
