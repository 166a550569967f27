// The parts of an import as they lie in R2 until it is done: written by the api, read by the cron.
import type { Block } from "../core/block/block.ts";
import { decodeBlock } from "../core/block/decode.ts";
import { type PartEntry, readPartHead } from "../core/job/import-part.ts";

/** Most parts of an import: their numbers have six digits. */
export const PARTS_MAX = 1_000_000;

/** Most heads are shorter. */
const HEAD_BYTES = 64 * 1024;

/** What the keys of all an import has in R2 begin with. */
export const importPrefix = (tenant: string, job: string) => `import/tenant=${tenant}/${job}/`;

/** The key of a part in R2; keys sort as the numbers of the parts do. */
export const partKey = (tenant: string, job: string, part: number) =>
  `${importPrefix(tenant, job)}${String(part).padStart(6, "0")}.part`;

/** Whether a key is a part's, and not the survey's. */
export const isPart = (key: string) => key.endsWith(".part");

/** Reads what a part holds, a block a device and day, without their readings. @throws Error when the part is gone. */
export async function readEntries(bucket: R2Bucket, key: string): Promise<PartEntry[]> {
  const first = new Uint8Array(await bytesOf(bucket, key, 0, HEAD_BYTES));
  const head = readPartHead(first);
  if (head !== undefined) return head.entries;
  const length = 4 + new DataView(first.buffer).getUint32(0, true);
  return readPartHead(new Uint8Array(await bytesOf(bucket, key, 0, length)))!.entries;
}

/** Reads the readings of one device and day of a part. @throws Error when the part is gone. */
export async function readPartBlock(
  bucket: R2Bucket,
  key: string,
  { offset, bytes }: PartEntry,
): Promise<Block> {
  return decodeBlock(new Uint8Array(await bytesOf(bucket, key, offset, bytes)));
}

async function bytesOf(bucket: R2Bucket, key: string, offset: number, length: number): Promise<ArrayBuffer> {
  const object = await bucket.get(key, { range: { offset, length } });
  if (object === null) throw new Error(`${key}, a part of an import, is gone from the bucket`);
  return await object.arrayBuffer();
}
