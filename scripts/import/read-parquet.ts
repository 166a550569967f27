// A Parquet file → its rows, of the columns that were asked for.
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type SchemaTree,
} from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { NumberReader } from "./number-reader.ts";
import { type Columns, type Layout, layoutOf, type Row, rowOf } from "./row.ts";

/** Node's own where it has one: they are faster. */
const COMPRESSORS = {
  ...compressors,
  ZSTD: (input: Uint8Array) => new Uint8Array(zstdDecompressSync(input)),
  GZIP: (input: Uint8Array) => new Uint8Array(gunzipSync(input)),
  BROTLI: (input: Uint8Array) => new Uint8Array(brotliDecompressSync(input)),
};
const ROWS_AT_ONCE = 10_000;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws an Error: this is no Parquet file, it has not the columns, or one that was asked for cannot be read. */
export async function* readParquet(path: string, columns: Columns): AsyncGenerator<Row> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const schema = parquetSchema(metadata).children;
  const layout = layoutOf(
    schema.map(({ element }) => element.name),
    columns,
  );
  const asked = schema.filter(({ element }) => layout.asked.has(element.name));
  const numbers = new NumberReader({ takesComma: false });
  const rows = Number(metadata.num_rows);
  const read = (names: string[], rowStart: number, rowEnd: number) =>
    parquetReadObjects({
      file,
      metadata,
      columns: names,
      rowStart,
      rowEnd,
      compressors: COMPRESSORS,
      parsers: { stringFromBytes: (bytes) => bytes && utf8.decode(bytes) },
    });
  for (let start = 0; start < rows; start += ROWS_AT_ONCE) {
    const end = Math.min(rows, start + ROWS_AT_ONCE);
    const names = asked.map(({ element }) => element.name);
    const some = await read(names, start, end).catch(async (error: Error) => {
      for (const name of names) await read([name], start, end).catch(unreadable(name, layout));
      throw error;
    });
    for (const [i, cells] of some.entries()) {
      for (const column of asked) roundDecimal(cells, column);
      yield rowOf(cells, layout, start + i + 1, numbers);
    }
  }
}

const unreadable =
  (name: string, { metrics }: Layout) =>
  (error: Error) => {
    const remedy = metrics.includes(name) ? "; say with --metrics which columns to take" : "";
    throw new Error(`the column ${name} cannot be read: ${error.message}${remedy}`);
  };

/** hyparquet multiplies: 0.3 as DECIMAL comes as 0.30000000000000004. */
function roundDecimal(
  cells: Record<string, unknown>,
  { element: { name, converted_type, scale } }: SchemaTree,
): void {
  const value = cells[name];
  if (converted_type === "DECIMAL" && typeof value === "number")
    cells[name] = Number(value.toFixed(scale ?? 0));
}
