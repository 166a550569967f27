// The header of a CSV table → how its records are told, and their cells by name.

import { LINE_BYTES_MAX, type Table } from "../../core/decode/csv-records.ts";
import { instantOf } from "../../core/decode/instant.ts";
import { nameInSheet } from "../../core/history/sheet-name.ts";
import type { Lines } from "./lines.ts";
import { atIn, type Layout } from "./row.ts";

/** A header's names may have line breaks in quotes. */
const HEADER_LINES_MAX = 100;

export class CsvTable implements Table {
  readonly delimiter: string;
  readonly width: number;
  readonly #layout: Layout;
  readonly #asked: ReadonlySet<number>;
  readonly #columns: { cell: number; name: string; isName: boolean; absent: string }[];

  /** `absent`: what an empty cell of a column, by its place, stands for. */
  constructor(header: readonly string[], layout: Layout, delimiter: string, absent: readonly string[] = []) {
    this.delimiter = delimiter;
    this.width = header.length;
    this.#layout = layout;
    this.#columns = header
      .map((name, cell) => ({
        cell,
        name,
        isName: layout.metricColumns.includes(name),
        absent: absent[cell] ?? "",
      }))
      .filter(({ name }) => layout.asked.has(name));
    this.#asked = new Set(this.#columns.map(({ cell }) => cell));
  }

  isAsked(cell: number): boolean {
    return this.#asked.has(cell);
  }

  isRow(cells: readonly string[]): boolean {
    return instantOf(atIn(this.byName(cells), this.#layout.atColumns)) !== undefined;
  }

  /** The cells somebody asked for; names of metrics in them as they were before a spreadsheet's mark and blanks. */
  byName(cells: readonly string[]): Record<string, string> {
    const found: Record<string, string> = Object.create(null);
    for (const { cell, name, isName, absent } of this.#columns) {
      const text = isName ? nameInSheet(cells[cell]!) : cells[cell]!;
      if (name !== "" || text.trim() !== "") found[name] = text === "" ? absent : text;
    }
    return found;
  }
}

/** A line that is not too long. */
export interface TextLine {
  line: number;
  text: string;
}

/** The next line that is not blank, and more while a quote is open in it. @throws when there is none, or no end of it. */
export async function readHeader(lines: Lines): Promise<TextLine> {
  const texts: string[] = [];
  for (let chars = 0, quotes = 0, line = 0; ; ) {
    const next = await lines.next();
    if (next === undefined && texts.length === 0) throw new Error("there is no header in it");
    if (next?.text?.trim() === "" && texts.length === 0) continue;
    line ||= next?.line ?? 0;
    chars += next?.text?.length ?? 0;
    if (next?.text === undefined || chars > LINE_BYTES_MAX || texts.length >= HEADER_LINES_MAX)
      throw new Error(`the header has a quote that is not closed, or more than ${LINE_BYTES_MAX} bytes`);
    texts.push(next.text);
    quotes += next.text.split('"').length - 1;
    if (quotes % 2 === 0) return { line, text: texts.join("\n") };
  }
}
