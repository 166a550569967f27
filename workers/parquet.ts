// Parquet files in R2, read by ranges: what every reader of the archive shares.
import { zstdDecompressSync } from "node:zlib";
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync } from "hyparquet";

/** First fetch of a file: most footers are smaller, and hyparquet would take 512 KB. */
const FOOTER_BYTES = 32 * 1024;

/** What hyparquet needs to read the archive's pages. */
export const DECOMPRESSORS = { ZSTD: (input: Uint8Array) => new Uint8Array(zstdDecompressSync(input)) };

export interface OpenParquet {
  file: AsyncBuffer;
  metadata: FileMetaData;
  /** Bytes fetched so far. */
  bytesRead(): number;
}

/** Opens a file of the archive by its footer. @throws when the bucket does not have it. */
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
