// A CSV, NDJSON or Parquet file, plain or gzipped → its rows, streamed.
import { aboutFile, checkFile } from "../command/file.ts";
import { readCsv } from "./read-csv.ts";
import { readNdjson } from "./read-ndjson.ts";
import { readParquet } from "./read-parquet.ts";
import type { Columns, Row } from "./row.ts";

export type Format = "csv" | "ndjson" | "parquet";

/** By the file's name. @throws when that says nothing. */
export function formatOf(path: string): Format {
  const name = path.toLowerCase().replace(/\.gz$/, "");
  if (/\.(csv|tsv|txt)$/.test(name)) return "csv";
  if (/\.(ndjson|jsonl|json)$/.test(name)) return "ndjson";
  if (/\.(parquet|pq)$/.test(name)) return "parquet";
  throw new Error(`${path}: is it csv, ndjson or parquet? say so with --format`);
}

/** @throws an Error that names the file: it cannot be read or unpacked, has not the columns, or is not of this format. */
export async function* readFile(path: string, format: Format, columns: Columns): AsyncGenerator<Row> {
  const rows = { csv: readCsv, ndjson: readNdjson, parquet: readParquet }[format](path, columns);
  try {
    yield* rows;
  } catch (error) {
    throw aboutFile(path, error);
  }
}

/** Reads as far as the first row: most that is wrong with a whole file shows there. @throws as `readFile` does. */
export async function lookInto(path: string, format: Format, columns: Columns): Promise<void> {
  await checkFile(path);
  for await (const _row of readFile(path, format, columns)) return;
}
