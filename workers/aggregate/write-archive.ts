// Columns of raw readings → a Parquet file in R2.
import { zstdCompressSync } from "node:zlib";
import { ByteWriter, parquetWrite } from "hyparquet-writer";
import type { RawColumns } from "../../core/archive/raw-rows.ts";

/** Rows of a row group: a reader of one device's metric fetches a few of them, each some 20 KB. */
const ROW_GROUP_ROWS = 20_000;

/**
 * The bytes of a raw file; docs/archive-format.md describes them. Sorted input makes the dictionary columns nearly free,
 * times are delta-coded, values dictionary-coded where few are distinct, and everything is zstd.
 */
export function encodeParquet(columns: RawColumns): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  parquetWrite({
    writer,
    columnData: [
      { name: "device", data: columns.device, type: "STRING", nullable: false },
      { name: "metric", data: columns.metric, type: "STRING", nullable: false },
      { name: "at", data: columns.at, type: "TIMESTAMP", nullable: false, encoding: "DELTA_BINARY_PACKED" },
      { name: "value", data: columns.value, type: "DOUBLE", nullable: false },
      { name: "revision", data: columns.revision, type: "INT32", nullable: false },
      spanColumn("block_start", columns.blockStart),
      spanColumn("block_end", columns.blockEnd),
    ],
    codec: "ZSTD",
    compressors: { ZSTD: (input) => new Uint8Array(zstdCompressSync(input)) },
    rowGroupSize: ROW_GROUP_ROWS,
    statisticsTruncateLength: Number.POSITIVE_INFINITY,
    kvMetadata: [{ key: "telltale.layout", value: "raw/2" }],
    createdBy: "telltale",
  });
  return writer.getBytes() as Uint8Array<ArrayBuffer>;
}

const spanColumn = (name: string, data: BigInt64Array) =>
  ({ name, data, type: "TIMESTAMP", nullable: false, encoding: "DELTA_BINARY_PACKED" }) as const;
