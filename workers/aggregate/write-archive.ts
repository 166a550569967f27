// Rows → a Parquet file in R2, whole or row group by row group.
import { zstdCompressSync } from "node:zlib";
import { ByteWriter, ParquetWriter, schemaFromColumnData } from "hyparquet-writer";
import { type Layout, RAW, type Rows, rowGroupEnd } from "../../core/archive/layout.ts";
import type { RawColumns } from "../../core/archive/raw-rows.ts";
import { within } from "../within.ts";

/** Distinct values a column chunk may keep in a dictionary: more make indexes that zstd cannot shorten. */
const DICTIONARY_BYTES = 32 * 1024;

/** R2 takes parts of 5 MiB and more, all but the last of the same size (R2 limits, 2026-11). */
const PART_BYTES = 5 * 1024 * 1024;

const R2_ANSWERS_MS = 60_000;

export const PARQUET_TYPE = { httpMetadata: { contentType: "application/vnd.apache.parquet" } };

/** The bytes of a raw file; docs/archive-format.md describes them. */
export function encodeParquet(columns: RawColumns): Uint8Array<ArrayBuffer> {
  const bytes = new ByteWriter();
  const parquet = new ArchiveParquet(RAW, bytes);
  const rows = columns.device.length;
  for (let start = 0; start < rows; ) {
    const end = rowGroupEnd(columns, start, rows, RAW.groupRows[0]);
    parquet.writeGroup(columns, start, end);
    start = end;
  }
  parquet.finish();
  return bytes.getBytes();
}

/**
 * Writes a layout's row groups. Sorted rows make the dictionary columns nearly free, instants are delta-coded, values
 * dictionary-coded where few are distinct, and everything is zstd.
 */
class ArchiveParquet {
  readonly #layout: Layout;
  readonly #writer: ParquetWriter;

  constructor(layout: Layout, bytes: ByteWriter) {
    this.#layout = layout;
    this.#writer = new ParquetWriter({
      writer: bytes,
      schema: schemaFromColumnData({
        columnData: layout.columns.map(({ name, type, isNullable }) => ({
          name,
          data: [],
          type,
          nullable: isNullable ?? false,
        })),
      }),
      codec: "ZSTD",
      compressors: { ZSTD: (input) => new Uint8Array(zstdCompressSync(input)) },
      statisticsTruncateLength: Number.POSITIVE_INFINITY,
      kvMetadata: [{ key: "telltale.layout", value: layout.name }],
      createdBy: "telltale",
    });
  }

  writeGroup(rows: Rows, start: number, end: number): void {
    this.#writer.write({
      columnData: this.#layout.columns.map(({ name, encoding, isSought }) => ({
        name,
        data: rows[name]!.slice(start, end),
        encoding,
        statistics: isSought ?? false,
        offsetIndex: false,
      })),
      rowGroupSize: end - start,
      dictionarySize: DICTIONARY_BYTES,
    });
  }

  finish(): void {
    this.#writer.finish();
  }
}

/** A file on its way to R2: what is ready leaves in parts, so that no more than one and a row group are in memory. */
export class ArchiveUpload {
  readonly key: string;
  readonly #bucket: R2Bucket;
  readonly #bytes = new ByteWriter();
  readonly #parquet: ArchiveParquet;
  readonly #parts: R2UploadedPart[] = [];
  #upload: R2MultipartUpload | undefined;
  #rows = 0;
  #minDevice = "";
  #maxDevice = "";

  constructor(bucket: R2Bucket, key: string, layout: Layout) {
    this.key = key;
    this.#bucket = bucket;
    this.#parquet = new ArchiveParquet(layout, this.#bytes);
  }

  get rows(): number {
    return this.#rows;
  }

  /** Adds a row group of rows that follow those added before. @throws when R2 fails or does not answer. */
  async write(rows: Rows): Promise<void> {
    const count = rows.device.length;
    if (this.#rows === 0) this.#minDevice = rows.device[0]!;
    this.#maxDevice = rows.device[count - 1]!;
    this.#rows += count;
    this.#parquet.writeGroup(rows, 0, count);
    while (this.#bytes.index >= PART_BYTES) await this.#sendPart(PART_BYTES);
  }

  /** What the manifest says of the file, which from now on is in R2. @throws when R2 fails or does not answer. */
  async finish(): Promise<{ rows: number; bytes: number; minDevice: string; maxDevice: string }> {
    this.#parquet.finish();
    if (this.#upload === undefined) {
      await within(R2_ANSWERS_MS, "R2", this.#bucket.put(this.key, this.#bytes.getBytes(), PARQUET_TYPE));
    } else {
      if (this.#bytes.index > 0) await this.#sendPart(this.#bytes.index);
      await within(R2_ANSWERS_MS, "R2", this.#upload.complete(this.#parts));
    }
    const { offset: bytes } = this.#bytes;
    return { rows: this.#rows, bytes, minDevice: this.#minDevice, maxDevice: this.#maxDevice };
  }

  /** Gives up what was sent. R2 forgets parts that nobody completes after seven days, so this may fail. */
  async abort(): Promise<void> {
    await within(R2_ANSWERS_MS, "R2", this.#upload?.abort() ?? Promise.resolve()).catch(() => undefined);
  }

  async #sendPart(length: number): Promise<void> {
    this.#upload ??= await within(
      R2_ANSWERS_MS,
      "R2",
      this.#bucket.createMultipartUpload(this.key, PARQUET_TYPE),
    );
    const bytes = this.#bytes.getBytes();
    const part = this.#upload.uploadPart(this.#parts.length + 1, bytes.slice(0, length));
    this.#parts.push(await within(R2_ANSWERS_MS, "R2", part));
    bytes.copyWithin(0, length);
    this.#bytes.index -= length;
  }
}

/** The first 128 bits of SHA-256, hex: the same contents always make the same key. */
export async function shortHash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest, 0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
