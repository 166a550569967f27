// Rows → the bytes of a Parquet file, whole or row group by row group.
import { gzipSync } from "node:zlib";
import type { RowGroup, SchemaElement } from "hyparquet";
import { ByteWriter, ParquetWriter, schemaFromColumnData } from "hyparquet-writer";
import { toInt64 } from "../../../core/archive/int64.ts";
import { type Layout, RAW, type Rows, rowGroupEnd } from "../../../core/archive/layout.ts";
import type { RawColumns } from "../../../core/archive/raw-rows.ts";

/** Distinct values a column chunk may keep in a dictionary: more make indexes that cannot be shortened. */
const DICTIONARY_BYTES = 32 * 1024;

/** Rows of a row group of a file that is soon merged with others. */
const GROUP_ROWS = 20_000;

/** How R2 is told that a file is Parquet. */
export const PARQUET_TYPE = { httpMetadata: { contentType: "application/vnd.apache.parquet" } };

/** Returns the bytes of a raw file, as docs/archive-format.md describes them; `groupRows` rows a row group. */
export function encodeParquet(columns: RawColumns, groupRows = GROUP_ROWS): Uint8Array<ArrayBuffer> {
  const bytes = new ByteWriter();
  const parquet = new ArchiveParquet(RAW, bytes);
  const rows = columns.device.length;
  for (let start = 0; start < rows; ) {
    const end = rowGroupEnd(columns, start, rows, groupRows);
    parquet.writeGroup(columns, start, end);
    start = end;
  }
  parquet.finish();
  return bytes.getBytes();
}

/**
 * Writes a layout's row groups. Sorted rows make the dictionary columns nearly free, instants are delta-coded, values
 * dictionary-coded where few are distinct, and all pages are gzip: as short as zstd here, and the zstdCompressSync of
 * workerd fails ("Unexpected end of file") where the result is longer than some 40 KB (2026-11).
 */
export class ArchiveParquet {
  readonly #layout: Layout;
  readonly #schema: SchemaElement[];
  readonly #writer: ParquetWriter;

  constructor(layout: Layout, bytes: ByteWriter) {
    this.#layout = layout;
    this.#schema = schemaOf(layout, "TIMESTAMP");
    this.#writer = new ParquetWriter({
      writer: bytes,
      schema: schemaOf(layout, "INT64"),
      codec: "GZIP",
      compressors: { GZIP: (input) => new Uint8Array(gzipSync(input)) },
      statisticsTruncateLength: Number.POSITIVE_INFINITY,
      kvMetadata: [{ key: "telltale.layout", value: layout.name }],
      createdBy: "telltale",
    });
  }

  /** Adds a row group of the rows `[start, end)`. */
  writeGroup(rows: Rows, start: number, end: number): void {
    const isWhole = start === 0 && end === rows.device.length;
    this.#writer.write({
      columnData: this.#layout.columns.map(({ name, type, encoding, isSought }) => {
        const column = isWhole ? rows[name]! : rows[name]!.slice(start, end);
        return {
          name,
          data: type === "TIMESTAMP" ? toInt64(column as number[]) : column,
          encoding,
          statistics: isSought ?? false,
          offsetIndex: false,
        };
      }),
      rowGroupSize: end - start,
      dictionarySize: DICTIONARY_BYTES,
    });
  }

  /** Adds row groups of another file of this layout as they stand there: `bytes` are theirs, which began at `offset`. */
  copyGroups(groups: readonly RowGroup[], bytes: Uint8Array, offset: number): void {
    const shift = BigInt(this.#writer.writer.offset - offset);
    this.#writer.writer.appendBytes(bytes);
    for (const group of groups) {
      const columns = group.columns.map(({ meta_data: chunk, file_offset }) => ({
        file_offset: file_offset + shift,
        meta_data: {
          ...chunk!,
          data_page_offset: chunk!.data_page_offset + shift,
          dictionary_page_offset: chunk!.dictionary_page_offset && chunk!.dictionary_page_offset + shift,
        },
      }));
      this.#writer.row_groups.push({ ...group, columns });
      this.#writer.num_rows += group.num_rows;
    }
  }

  /** Writes the footer; nothing can be added after it. */
  finish(): void {
    this.#writer.schema = this.#schema;
    this.#writer.finish();
  }
}

/** Row groups are written as if instants were plain integers: hyparquet-writer would make an object of each, twice. */
const schemaOf = (layout: Layout, instants: "INT64" | "TIMESTAMP"): SchemaElement[] =>
  schemaFromColumnData({
    columnData: layout.columns.map(({ name, type, isNullable }) => ({
      name,
      data: [],
      type: type === "TIMESTAMP" ? instants : type,
      nullable: isNullable ?? false,
    })),
  });

/** Where the bytes of a row group lie in its file, the end exclusive. */
export function bytesOfGroup({ columns }: RowGroup): [start: number, end: number] {
  const starts = columns.map(
    ({ meta_data: chunk }) => chunk!.dictionary_page_offset ?? chunk!.data_page_offset,
  );
  const start = starts.reduce((a, b) => (a < b ? a : b));
  const length = columns.reduce((sum, { meta_data: chunk }) => sum + chunk!.total_compressed_size, 0n);
  return [Number(start), Number(start + length)];
}

/** The first and last device of a row group. */
export function devicesOfGroup({ columns }: RowGroup): [first: string, last: string] {
  const device = columns.find(({ meta_data: chunk }) => chunk!.path_in_schema[0] === "device")!;
  const { min_value, max_value } = device.meta_data!.statistics!;
  return [min_value as string, max_value as string];
}

/**
 * Returns 32 random hex digits: what one attempt puts under them, no other attempt overwrites, or deletes as its own.
 */
export const ownId = () => crypto.randomUUID().replaceAll("-", "");

/** Returns the first 128 bits of the text's SHA-256, hex: for a name that others find from what it was made of. */
export async function shortHash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest, 0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
