// Bytes → rows of cells.
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parse } from "csv-parse";

/** Streams the rows of a CSV file, the header first. A malformed row is an error that names its line. */
export async function* readCsv(bytes: AsyncIterable<Uint8Array>, delimiter = ","): AsyncGenerator<string[]> {
  const parser = parse({ delimiter, bom: true, skip_empty_lines: true });
  const source = Readable.from(bytes);
  const piped = pipeline(source, parser).catch(() => {}); // the error is thrown by the loop below
  try {
    for await (const row of parser) yield row as string[];
  } finally {
    parser.destroy();
    await piped;
  }
}

/** Finds columns by name: `columnsOf(header, ["a", "b"])` → their places. */
export function columnsOf(header: readonly string[], names: readonly string[]): number[] {
  return names.map((name) => {
    const place = header.indexOf(name);
    if (place < 0) throw new Error(`the header has no column ${name}; it has ${header.join(", ")}`);
    return place;
  });
}

/** A cell as a number; undefined when it is empty, `NA` or no number. */
export function numberIn(cell: string | undefined): number | undefined {
  if (cell === undefined || cell.trim() === "") return undefined;
  const value = Number(cell);
  return Number.isFinite(value) ? value : undefined;
}
