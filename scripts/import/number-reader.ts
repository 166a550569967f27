// A cell → the number in it, where the file's own way of writing numbers leaves no doubt.
import { isKept } from "../../core/decode/parse-json.ts";

/**
 * The value of a reading, or what is wrong with it; a text that is no number at all is left to the check of reports.
 * `written`: an integer that was rounded.
 */
export type ReadNumber = { value: unknown; written?: string } | { message: string };

const COMMA = /^[+-]?(\d+,\d*|,\d+)(e[+-]?\d+)?$/i;
/** Digits with something between them that may part thousands. */
const GROUPED = /^[+-]?\d[\d.,'’_\s]*$/;

/**
 * Reads the numbers of one file. A decimal comma is taken where commas do not part cells, and of a metric either all
 * numbers have one or none has: "1.234" beside "21,5" would be a thousand. Holds one mark for each metric.
 */
export class NumberReader {
  readonly #takesComma: boolean;
  readonly #marks = new Map<string, { mark: string; text: string }>();

  constructor({ takesComma }: { takesComma: boolean }) {
    this.#takesComma = takesComma;
  }

  read(metric: string, value: unknown): ReadNumber {
    if (typeof value === "bigint") return numberOf(Number(value), String(value));
    if (typeof value !== "string") return { value };
    const text = value.trim();
    const hasComma = this.#takesComma && COMMA.test(text);
    const number = Number(hasComma ? text.replace(",", ".") : text);
    if (Number.isNaN(number)) {
      if (!GROUPED.test(text)) return { value };
      const mark = this.#takesComma ? "a decimal point or comma" : "a decimal point";
      return {
        message: `a number is written with ${mark} and nothing between thousands; got ${shown(text)}`,
      };
    }
    const mark = hasComma ? "comma" : text.includes(".") ? "point" : undefined;
    if (mark === undefined || !this.#takesComma) return numberOf(number, text);
    const before = this.#marks.get(metric);
    if (before === undefined) this.#marks.set(metric, { mark, text });
    else if (before.mark !== mark)
      return {
        message: `${shown(text)} has a ${mark} where ${shown(before.text)} has a ${before.mark}: write all of a metric alike`,
      };
    return { value: number };
  }
}

const numberOf = (value: number, text: string): ReadNumber =>
  isKept(text) ? { value } : { value, written: text };

const shown = (text: string) => JSON.stringify(text.length > 64 ? `${text.slice(0, 61)}...` : text);
