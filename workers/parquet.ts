// Parquet files in R2, read by ranges: what every reader of the archive shares.
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import {
  type AsyncBuffer,
  type ColumnData,
  type DecodedArray,
  type FileMetaData,
  type ParquetQueryFilter,
  parquetMetadataAsync,
  parquetRead,
  type RowGroup,
  type SchemaElement,
} from "hyparquet";
import { fromInt64 } from "../core/archive/int64.ts";
import type { Column, Rows } from "../core/archive/layout.ts";

/** First fetch of a file: most footers are smaller, and hyparquet would take 512 KB. */
const FOOTER_BYTES = 32 * 1024;

/** What hyparquet needs to read the archive's pages: gzip, and zstd in files of `raw/1`. */
export const DECOMPRESSORS = {
  GZIP: (input: Uint8Array) => new Uint8Array(gunzipSync(input)),
  ZSTD: (input: Uint8Array) => new Uint8Array(zstdDecompressSync(input)),
};

/** A file of the archive whose footer is in memory. */
export interface OpenParquet {
  file: AsyncBuffer;
  metadata: FileMetaData;
  /** Bytes fetched so far. */
  bytesRead(): number;
}

/**
 * Opens a file of the archive, of `byteLength` bytes, by its footer.
 * @throws Error when the bucket does not have it.
 */
export async function openParquet(bucket: R2Bucket, key: string, byteLength: number): Promise<OpenParquet> {
  let bytes = 0;
  const file: AsyncBuffer = {
    byteLength,
    async slice(start, end = byteLength) {
      bytes += end - start;
      const object = await bucket.get(key, { range: { offset: start, length: end - start } });
      if (object === null) throw new Error(`${key} is in the manifest but not in the bucket`);
      return await object.arrayBuffer();
    },
  };
  const metadata = await parquetMetadataAsync(file, { initialFetchSize: Math.min(FOOTER_BYTES, byteLength) });
  return { file, metadata, bytesRead: () => bytes };
}

/**
 * Returns whether a row group can hold values of a column between `least` and `greatest`, as far as it says which it has.
 */
export function mayHold(
  { columns }: RowGroup,
  name: string,
  least: string | Date,
  greatest: string | Date,
): boolean {
  const { min, max } = extremesOf({ columns }, name);
  return min === undefined || max === undefined || (min <= greatest && max >= least);
}

/** Returns the least and the greatest value of a column in a row group; undefined: it does not say. */
export function extremesOf({ columns }: Pick<RowGroup, "columns">, name: string) {
  const chunk = columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === name);
  const { min_value: min, max_value: max } = chunk?.meta_data?.statistics ?? {};
  return { min, max };
}

/** Some row groups of a file: those in which `filter` may find rows by their statistics, or one by its number. */
type Wanted = { filter: ParquetQueryFilter } | { group: number };

/**
 * Reads the wanted row groups, whole. Returns the rows of each by itself; instants are epoch ms. Columns the file
 * does not have are left out.
 * @throws when the file is gone or cannot be decoded.
 */
export async function readRowGroups(
  { file, metadata }: OpenParquet,
  columns: readonly string[],
  wanted: Wanted,
): Promise<Rows[]> {
  const ends: number[] = [];
  for (const { num_rows } of metadata.row_groups) ends.push((ends.at(-1) ?? 0) + Number(num_rows));
  const groups = new Map<number, Map<string, ColumnData[]>>();
  await parquetRead({
    file,
    metadata: { ...metadata, schema: metadata.schema.map(asStored) },
    columns: columns.filter((name) => metadata.schema.some((element) => element.name === name)),
    ...("filter" in wanted
      ? { filter: wanted.filter }
      : { rowStart: ends[wanted.group - 1] ?? 0, rowEnd: ends[wanted.group]! }),
    rowFormat: "object",
    compressors: DECOMPRESSORS,
    onChunk(chunk) {
      const group = ends.findIndex((end) => chunk.rowStart < end);
      const own = groups.get(group) ?? new Map<string, ColumnData[]>();
      groups.set(group, own.set(chunk.columnName, [...(own.get(chunk.columnName) ?? []), chunk]));
    },
  });
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(
      ([, own]) =>
        Object.fromEntries([...own].map(([name, chunks]) => [name, joined(chunks)])) as unknown as Rows,
    );
}

/** Instants as the integers they are stored as: an object for each would take five times their memory. */
const asStored = (element: SchemaElement): SchemaElement =>
  element.converted_type === "TIMESTAMP_MILLIS"
    ? { ...element, converted_type: undefined, logical_type: undefined }
    : element;

/** The pages of one column together, whatever the order they were decoded in. */
function joined(chunks: ColumnData[]): Column {
  if (chunks.length === 1) return numbersOf(chunks[0]!.columnData);
  const inOrder = chunks.sort((a, b) => a.rowStart - b.rowStart);
  return inOrder.flatMap(({ columnData }) => Array.from(numbersOf(columnData) as number[]));
}

function numbersOf(data: DecodedArray): Column {
  if (data instanceof BigInt64Array) return fromInt64(data);
  return typeof data[0] === "bigint" ? Float64Array.from(data, Number) : (data as Column);
}
