// A file → its bytes, unpacked when it is gzip; and the members of a tar among them.
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";

/** Errors reach the reader of the last stream; the callback only keeps them from being unhandled. */
const ignore = () => {};

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

async function openBytes(path: string): Promise<Readable> {
  const gzip = await isGzip(path);
  const file = createReadStream(path);
  return gzip ? pipeline(file, createGunzip(), ignore) : file;
}

/** Streams a file's content; gzip is told by its magic number, not by the file's name. */
export async function* readBytes(path: string): AsyncGenerator<Uint8Array> {
  yield* await openBytes(path);
}

/** Names of the plain files in a tar, in its order. */
export async function listTarMembers(path: string): Promise<string[]> {
  const names: string[] = [];
  const entries = pipeline(await openBytes(path), extract(), ignore);
  for await (const entry of entries) {
    if (entry.header.type === "file") names.push(entry.header.name);
    entry.resume();
  }
  return names;
}

/**
 * Streams one member of a tar, unpacking what precedes it. Several members can so be read side by side
 * without the archive ever being held in memory or unpacked to disk.
 */
export async function* readTarMember(path: string, name: string): AsyncGenerator<Uint8Array> {
  const entries = pipeline(await openBytes(path), extract(), ignore);
  for await (const entry of entries) {
    if (entry.header.name === name) {
      yield* entry as AsyncIterable<Uint8Array>;
      return;
    }
    entry.resume();
  }
  throw new Error(`${path} has no member ${name}`);
}
