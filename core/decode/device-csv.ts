// The text of a CSV file of devices → what each line says of one, as JSON would say it.
import type { NewDevice } from "../../schemas/query.ts";
import { nameInSheet } from "../history/sheet-name.ts";
import {
  cellsOf,
  DELIMITERS,
  LINE_BYTES_MAX,
  type Line,
  type LineSource,
  nextRecord,
  separatorIn,
  type Table,
} from "./csv-records.ts";
import { unknownNames } from "./unknown-names.ts";

/** What a line says of a device, not checked yet, or why it cannot be read. `line` counts from 1, as editors do. */
export type DeviceLine = { line: number; value: Record<string, unknown> } | { line: number; problem: string };

/** A file that has not the columns. */
export class DeviceCsvError extends Error {
  override name = "DeviceCsvError";
}

type Column = Exclude<keyof NewDevice, "location"> | "latitude" | "longitude";
const COLUMNS: readonly string[] = [
  "device",
  "zone",
  "name",
  "model",
  "latitude",
  "longitude",
  "gateway",
] satisfies Column[];

/**
 * Returns the lines of a file of devices, its header aside, as the importer reads CSV: one delimiter parts all of it, the one
 * that `sep=` says or by which the header has `device`; a row that does not fit and a stray quote cost their own line. An
 * empty cell says nothing. Of more than `linesMax` lines one more is returned. Linear in the length of the text.
 * @throws DeviceCsvError that names a column that is missing, there twice, or none.
 */
export async function parseDeviceCsv(text: string, linesMax: number): Promise<DeviceLine[]> {
  const lines = new TextLines(text);
  let header = await headerIn(lines);
  const said = separatorIn(header);
  if (said !== undefined) header = await headerIn(lines);
  const { delimiter, names } = splitHeader(header, said === undefined ? DELIMITERS : [said]);
  const device = names.indexOf("device");
  const table: Table = {
    delimiter,
    width: names.length,
    isAsked: () => true,
    isRow: (cells) => cells[device]!.trim() !== "",
  };
  const found: DeviceLine[] = [];
  while (found.length <= linesMax) {
    const record = await nextRecord(lines, table);
    if (record === undefined) break;
    if ("problem" in record) found.push(record);
    else found.push({ line: record.line, value: saidIn(names, record.cells, delimiter) });
  }
  return found;
}

/** The next line that is not blank. */
async function headerIn(lines: TextLines): Promise<string> {
  for (;;) {
    const next = await lines.next();
    if (next === undefined)
      throw new DeviceCsvError("there is no header in it; its first line names columns");
    if (next.text?.trim() !== "") return next.text ?? "";
  }
}

function splitHeader(text: string, delimiters: readonly string[]): { delimiter: string; names: string[] } {
  for (const delimiter of delimiters) {
    const names = cellsOf(text, delimiter)?.map((name) => nameInSheet(name).toLowerCase());
    if (!names?.includes("device")) continue;
    const unknown = names.filter((name) => !COLUMNS.includes(name));
    if (unknown.length > 0) throw new DeviceCsvError(unknownNames("column", unknown, COLUMNS));
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) throw new DeviceCsvError(`the column ${twice} is there twice; leave one out`);
    return { delimiter, names };
  }
  const shown = JSON.stringify(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);
  throw new DeviceCsvError(
    `no column is called device; the first line names columns, parted by a comma, semicolon, tab or pipe, of ${COLUMNS.join(", ")}, and is ${shown}`,
  );
}

function saidIn(names: readonly string[], cells: readonly string[], delimiter: string) {
  const value: Record<string, unknown> = {};
  const location: Record<string, unknown> = {};
  for (const [i, name] of names.entries()) {
    const text = nameInSheet(cells[i]!);
    if (text === "") continue;
    if (name === "latitude" || name === "longitude") location[name] = numberIn(text, delimiter !== ",");
    else value[name] = text;
  }
  return Object.keys(location).length === 0 ? value : { ...value, location };
}

/** The number that the text is, else the text, which is then refused as none. */
function numberIn(text: string, takesComma: boolean): number | string {
  const pointed = takesComma ? text.replace(",", ".") : text;
  return /^[+-]?\d+(\.\d+)?$/.test(pointed) ? Number(pointed) : text;
}

const SHOWN_MAX = 80;

/** The lines of a text, whatever ends them. */
class TextLines implements LineSource {
  readonly #texts: readonly string[];
  #next = 0;

  constructor(text: string) {
    this.#texts = text.split(/\r\n|[\r\n]/);
  }

  async next(): Promise<Line | undefined> {
    const text = this.#texts[this.#next];
    if (text === undefined) return undefined;
    this.#next += 1;
    return { line: this.#next, text: text.length > LINE_BYTES_MAX ? undefined : text };
  }

  putBack(lines: readonly Line[]): void {
    this.#next -= lines.length;
  }
}
