// A CSV, NDJSON or Parquet file, plain or gzipped → its rows, streamed.

import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { parse } from "csv-parse";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { parseLenient } from "../../core/decode/parse-json.ts";
import { readBytes } from "../recordings/read-bytes.ts";
import { type Columns, type Row, rowOf, shapeOf } from "./row.ts";

export type Format = "csv" | "ndjson" | "parquet";

/** By the file's name. @throws when that says nothing. */
export function formatOf(path: string): Format {
  const name = path.toLowerCase().replace(/\.gz$/, "");
  if (/\.(csv|tsv|txt)$/.test(name)) return "csv";
  if (/\.(ndjson|jsonl|json)$/.test(name)) return "ndjson";
  if (/\.(parquet|pq)$/.test(name)) return "parquet";
  throw new Error(`${path}: is it csv, ndjson or parquet? say so with --format`);
}

export function readFile(path: string, format: Format, columns: Columns): AsyncGenerator<Row> {
  if (format === "csv") return readCsv(path, columns);
  return format === "ndjson" ? readNdjson(path, columns) : readParquet(path, columns);
}

async function* readCsv(path: string, columns: Columns): AsyncGenerator<Row> {
  const delimiter = /\.tsv(\.gz)?$/i.test(path) ? "\t" : [",", ";"];
  const parser = parse({
    delimiter,
    bom: true,
    skip_empty_lines: true,
    info: true,
    relax_column_count: true,
  });
  const piped = pipeline(Readable.from(readBytes(path)), parser).catch(() => {}); // thrown by the loop below
  let header: string[] | undefined;
  let shape: "narrow" | "wide" = "wide";
  try {
    for await (const { record, info } of parser as AsyncIterable<{
      record: string[];
      info: { lines: number };
    }>) {
      if (header === undefined) {
        header = record.map((name) => name.trim());
        shape = shapeOf(header, columns);
      } else if (record.length !== header.length) {
        yield {
          line: info.lines,
          problem: `the row has ${record.length} cells, the header ${header.length}`,
        };
      } else {
        const cells = Object.fromEntries(header.map((name, i) => [name, record[i]]));
        yield rowOf(cells, shape, columns, info.lines);
      }
    }
  } finally {
    parser.destroy();
    await piped;
  }
}

/** A line is a report, or an object with the columns a CSV row would have. */
async function* readNdjson(path: string, columns: Columns): AsyncGenerator<Row> {
  let line = 0;
  for await (const text of linesOf(readBytes(path))) {
    line += 1;
    if (text.trim() === "") continue;
    let parsed: unknown;
    try {
      parsed = parseLenient(text);
    } catch (error) {
      yield { line, problem: `the line is not JSON: ${(error as Error).message}` };
      continue;
    }
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
      yield { line, problem: "the line is no JSON object" };
      continue;
    }
    const cells = parsed as Record<string, unknown>;
    if (typeof cells.metrics === "object" && cells.metrics !== null) {
      const { device, at, metrics } = cells as NonNullable<Row["value"]>;
      yield { line, value: { device: columns.device ?? device, at, metrics } };
    } else {
      const isNarrow = columns.metricColumn in cells && columns.valueColumn in cells;
      yield rowOf(cells, isNarrow ? "narrow" : "wide", columns, line);
    }
  }
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  for await (const chunk of bytes) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}

const COMPRESSORS = {
  ZSTD: (input: Uint8Array) => new Uint8Array(zstdDecompressSync(input)),
  GZIP: (input: Uint8Array) => new Uint8Array(gunzipSync(input)),
  BROTLI: (input: Uint8Array) => new Uint8Array(brotliDecompressSync(input)),
};
const ROWS_AT_ONCE = 10_000;

async function* readParquet(path: string, columns: Columns): AsyncGenerator<Row> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const rows = Number(metadata.num_rows);
  const header = metadata.schema.slice(1).map(({ name }) => name);
  const shape = shapeOf(header, columns);
  for (let start = 0; start < rows; start += ROWS_AT_ONCE) {
    const end = Math.min(rows, start + ROWS_AT_ONCE);
    const some = await parquetReadObjects({
      file,
      metadata,
      rowStart: start,
      rowEnd: end,
      compressors: COMPRESSORS,
    });
    for (const [i, cells] of some.entries()) yield rowOf(cells, shape, columns, start + i + 1);
  }
}
