// Row groups → a Parquet file in R2, sent part by part.
import type { RowGroup } from "hyparquet";
import { ByteWriter } from "hyparquet-writer";
import type { Layout, Rows } from "../../../core/archive/layout.ts";
import { withDeadline } from "../../with-deadline.ts";
import { ArchiveParquet, devicesOfGroup, PARQUET_TYPE } from "./write-archive.ts";

/** R2 takes parts of 5 MiB and more, all but the last of the same size (R2 limits, 2026-11). */
const PART_BYTES = 5 * 1024 * 1024;

const R2_ANSWERS_MS = 60_000;

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

  /** Rows written so far. */
  get rows(): number {
    return this.#rows;
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#bytes.offset;
  }

  /** Adds a row group of rows that follow those added before. @throws when R2 fails or does not answer. */
  async write(rows: Rows): Promise<void> {
    const count = rows.device.length;
    this.#note(count, rows.device[0]!, rows.device[count - 1]!);
    this.#parquet.writeGroup(rows, 0, count);
    await this.#sendParts();
  }

  /**
   * Adds row groups of another file as they stand there; `bytes` began at `offset` in it.
   * @throws when R2 fails or does not answer.
   */
  async copy(groups: readonly RowGroup[], bytes: Uint8Array, offset: number): Promise<void> {
    for (const group of groups) this.#note(Number(group.num_rows), ...devicesOfGroup(group));
    this.#parquet.copyGroups(groups, bytes, offset);
    await this.#sendParts();
  }

  #note(rows: number, minDevice: string, maxDevice: string): void {
    if (this.#rows === 0) this.#minDevice = minDevice;
    this.#maxDevice = maxDevice;
    this.#rows += rows;
  }

  /** Completes the file in R2. Returns what the manifest says of it. @throws when R2 fails or does not answer. */
  async finish(): Promise<{ rows: number; bytes: number; minDevice: string; maxDevice: string }> {
    this.#parquet.finish();
    if (this.#upload === undefined) {
      await withDeadline(
        R2_ANSWERS_MS,
        "R2",
        this.#bucket.put(this.key, this.#bytes.getBytes(), PARQUET_TYPE),
      );
    } else {
      if (this.#bytes.index > 0) await this.#sendPart(this.#bytes.index);
      await withDeadline(R2_ANSWERS_MS, "R2", this.#upload.complete(this.#parts));
    }
    const { offset: bytes } = this.#bytes;
    return { rows: this.#rows, bytes, minDevice: this.#minDevice, maxDevice: this.#maxDevice };
  }

  /** Drops what was sent. Never fails: R2 deletes parts that nobody completes after seven days. */
  async abort(): Promise<void> {
    await withDeadline(R2_ANSWERS_MS, "R2", this.#upload?.abort() ?? Promise.resolve()).catch(
      () => undefined,
    );
  }

  async #sendParts(): Promise<void> {
    while (this.#bytes.index >= PART_BYTES) await this.#sendPart(PART_BYTES);
  }

  async #sendPart(length: number): Promise<void> {
    this.#upload ??= await withDeadline(
      R2_ANSWERS_MS,
      "R2",
      this.#bucket.createMultipartUpload(this.key, PARQUET_TYPE),
    );
    const bytes = this.#bytes.getBytes();
    const part = this.#upload.uploadPart(this.#parts.length + 1, bytes.slice(0, length));
    this.#parts.push(await withDeadline(R2_ANSWERS_MS, "R2", part));
    bytes.copyWithin(0, length);
    this.#bytes.index -= length;
  }
}
