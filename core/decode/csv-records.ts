// Lines → the records of a CSV file (RFC 4180), each with its cells; a stray quote costs its own line only.
//
// Not by csv-parse: after a quote that is never closed it cannot go back to the next line.

/** A line without its end; `text` is undefined where it is longer than is taken. */
export interface Line {
  /** From 1, as editors count. */
  line: number;
  text: string | undefined;
}

/** A report of 1,000 metrics with the longest names takes less. */
export const LINE_BYTES_MAX = 1024 * 1024;

/** Lines as they come. */
export interface LineSource {
  /** Undefined at the end. */
  next(): Promise<Line | undefined>;
  /** Puts lines that were read back, in their order, to be the next. */
  putBack(lines: readonly Line[]): void;
}

/** What may part the cells of a file; the first by which a header has what is wanted does. */
export const DELIMITERS: readonly string[] = [",", ";", "\t", "|"];

/** Returns the delimiter that Excel's first line says, `sep=;`; undefined: it is another line. */
export function separatorIn(line: string): string | undefined {
  const said = /^"?sep=(.|\\t)"?$/i.exec(line)?.[1];
  return said === "\\t" ? "\t" : said;
}

/** What is known of a table's rows. */
export interface Table {
  delimiter: string;
  /** How many cells a row has. */
  width: number;
  /** Whether somebody asked for the column, counted from 0: a stray quote in any other is taken as it is. */
  isAsked(cell: number): boolean;
  /** Whether cells are, by what is in them, a row of the table. */
  isRow(cells: readonly string[]): boolean;
}

/** A record begins at `line`, from 1; it has no cells where `problem` says why. */
export type CsvRecord = { line: number; cells: string[] } | { line: number; problem: string };

/** A cell in quotes goes over at most so many lines, and a record over at most LINE_BYTES_MAX characters. */
const LINES_MAX = 1_000;

/**
 * Returns the next record; undefined at the end. Lines that are blank are skipped. A cell in quotes may go over several
 * lines; where one of these is itself a row, or where it comes to no good end, the quote is a stray one: then the record is
 * its first line, and the next line begins the next. No line is so looked at more than three times.
 */
export async function nextRecord(lines: LineSource, table: Table): Promise<CsvRecord | undefined> {
  for (;;) {
    const first = await lines.next();
    if (first === undefined) return undefined;
    const { line, text } = first;
    if (text === undefined) return { line, problem: `the line has more than ${LINE_BYTES_MAX} bytes` };
    if (text.trim() === "") continue;
    const cells = (await wholeCells(lines, text, table)) ?? cellsIn(text, table);
    if (typeof cells === "string") return { line, problem: cells };
    if (cells.length === table.width) return { line, cells };
    return { line, problem: `the row has ${cells.length} cells, the header ${table.width}` };
  }
}

/** The cells of a record all of whose quotes are where they belong; else undefined, and only its first line is taken. */
async function wholeCells(lines: LineSource, text: string, table: Table): Promise<string[] | undefined> {
  const record = new QuotedRecord(table.delimiter);
  let state = record.add(text);
  const more: Line[] = [];
  for (let chars = text.length; state === "open" && more.length < LINES_MAX; ) {
    const next = await lines.next();
    if (next === undefined) break;
    more.push(next);
    chars += next.text?.length ?? 0;
    if (next.text === undefined || chars > LINE_BYTES_MAX || isRowItself(next.text, table)) break;
    state = record.add(next.text);
  }
  if (state === "whole" && (more.length === 0 || record.cells.length === table.width)) return record.cells;
  lines.putBack(more);
  return undefined;
}

function isRowItself(text: string, table: Table): boolean {
  const cells = cellsOf(text, table.delimiter);
  return cells?.length === table.width && table.isRow(cells);
}

/** Returns the cells of a text that is one record; undefined when a quote is not where it belongs, or not closed. */
export function cellsOf(text: string, delimiter: string): string[] | undefined {
  const record = new QuotedRecord(delimiter);
  return record.add(text) === "whole" ? record.cells : undefined;
}

/** The cells of one line, or why there are none. Where nobody asked, a cell with a stray quote ends at the next delimiter. */
function cellsIn(text: string, table: Table): string[] | string {
  const cells: string[] = [];
  for (let at = 0; ; at++) {
    const cell = readCell(text, at, table.delimiter);
    if (typeof cell !== "string") {
      cells.push(unquoted(cell.text));
      at = cell.end;
    } else if (table.isAsked(cells.length)) {
      const what = cell === "open" ? "that is not closed" : "where none may be";
      return `cell ${cells.length + 1} has a quote ${what}: a cell with quotes in it stands in quotes, each of its own doubled`;
    } else {
      const end = endOfCell(text, at, table.delimiter);
      cells.push(text.slice(at, end));
      at = end;
    }
    if (at === text.length) return cells;
  }
}

/** A record as its lines come, with the cells that are whole. */
class QuotedRecord {
  readonly cells: string[] = [];
  readonly #delimiter: string;
  /** The lines of a cell in quotes that is not closed yet. */
  #open: string[] = [];

  constructor(delimiter: string) {
    this.#delimiter = delimiter;
  }

  /** Whether the record ends with the line, or a quote is open there, or one is not where it belongs. */
  add(text: string): "whole" | "open" | "stray" {
    for (let at = 0; ; at++) {
      const isOpen = this.#open.length > 0;
      const cell = isOpen ? readQuoted(text, at, this.#delimiter) : readCell(text, at, this.#delimiter);
      if (cell === "open") this.#open.push(isOpen ? text : text.slice(afterBlanks(text, at) + 1));
      if (typeof cell === "string") return cell;
      this.cells.push(unquoted(isOpen ? [...this.#open, cell.text].join("\n") : cell.text));
      this.#open = [];
      at = cell.end;
      if (at === text.length) return "whole";
    }
  }
}

/** A cell, its quotes still doubled, and where it ends: at a delimiter or with the text. */
type Cell = { text: string; end: number } | "open" | "stray";

/** The cell that begins at `at`; in quotes it may have blanks around them. */
function readCell(text: string, at: number, delimiter: string): Cell {
  const start = afterBlanks(text, at);
  if (text[start] === '"') return readQuoted(text, start + 1, delimiter);
  const end = endOfCell(text, at, delimiter);
  const cell = text.slice(at, end);
  return cell.includes('"') ? "stray" : { text: cell, end };
}

/** What of a cell in quotes is in this text, from `at` on. */
function readQuoted(text: string, at: number, delimiter: string): Cell {
  let close = text.indexOf('"', at);
  while (close >= 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
  if (close < 0) return "open";
  const end = afterBlanks(text, close + 1);
  return end < text.length && text[end] !== delimiter ? "stray" : { text: text.slice(at, close), end };
}

const unquoted = (text: string) => (text.includes('"') ? text.replaceAll('""', '"') : text);

function afterBlanks(text: string, at: number): number {
  let end = at;
  while (text[end] === " ") end += 1;
  return end;
}

function endOfCell(text: string, at: number, delimiter: string): number {
  const end = text.indexOf(delimiter, at);
  return end < 0 ? text.length : end;
}
