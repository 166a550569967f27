import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Block, BlockError } from "./block.ts";
import { crc32 } from "./checksum.ts";
import { decodeBlock, readBlockHeader } from "./decode.ts";
import { encodeBlock } from "./encode.ts";
import { MAX_READINGS_PER_BLOCK } from "./format.ts";

const at = Array.from({ length: 80 }, (_, i) => 1000 + i * 10 + (i % 7 === 0 ? 1 : 0));
const block: Block = {
  startMs: 1000,
  endMs: 5000,
  columns: [
    { metric: "decimal", at, value: at.map((_, i) => (i * i) / 100) },
    { metric: "exception", at, value: at.map((_, i) => (i === 9 ? 1e300 : i)) },
    { metric: "float32", at, value: at.map((_, i) => Math.fround(i / 10)) },
    { metric: "words", at, value: at.map((_, i) => Math.sin(i)) },
    { metric: "flat", at: [1000, 2000, 3000], value: [1, 1, 1] },
  ],
};
const whole = encodeBlock(block);

/** The same bytes with a checksum that holds, so that the structural checks behind it are reached. */
function withChecksum(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= 4) {
    const end = bytes.length - 4;
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(end, crc32(bytes, end));
  }
  return bytes;
}

/** Decodes; the only error let pass is a BlockError, and what decodes must be a valid block. */
function decodeOrRefuse(bytes: Uint8Array): void {
  let decoded: Block;
  try {
    decoded = decodeBlock(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(BlockError);
    return;
  }
  const readingCount = decoded.columns.reduce((count, column) => count + column.at.length, 0);
  expect(readingCount).toBeLessThanOrEqual(MAX_READINGS_PER_BLOCK);
  for (const column of decoded.columns) {
    expect(column.value.every(Number.isFinite)).toBe(true);
    expect(
      column.at.every(
        (t, i) => t >= decoded.startMs && t < decoded.endMs && (i === 0 || t > column.at[i - 1]!),
      ),
    ).toBe(true);
  }
}

describe("refusing bytes", () => {
  it("[B9] every single flipped bit is refused", () => {
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const bytes = whole.slice();
      bytes[bit >>> 3]! ^= 1 << (bit & 7);
      expect(() => decodeBlock(bytes)).toThrow(BlockError);
    }
  });

  it("[B9] every prefix is refused, and the block with a byte more", () => {
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeBlock(whole.subarray(0, length))).toThrow(BlockError);
      expect(() => decodeBlock(withChecksum(whole.slice(0, length)))).toThrow(BlockError);
    }
    const longer = new Uint8Array(whole.length + 1);
    longer.set(whole);
    expect(() => decodeBlock(withChecksum(longer))).toThrow(expect.objectContaining({ code: "corrupt" }));
  });

  it.each([
    ["bad_magic", Uint8Array.of(1, 2, 3, 1)],
    ["bad_magic", new TextEncoder().encode('{"at":1763812345000}')],
    ["unknown_version", Uint8Array.of(0x54, 0x54, 0x42, 2)],
    ["truncated", new Uint8Array(0)],
    ["truncated", whole.subarray(0, 11)],
  ])("[B9] %s is said of bytes that are none of ours: %j", (code, bytes) => {
    expect(() => decodeBlock(bytes)).toThrow(expect.objectContaining({ code }));
    expect(() => readBlockHeader(bytes)).toThrow(expect.objectContaining({ code }));
  });

  it("[B10] changed bytes under a right checksum are refused or decode to a valid block", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 4, max: whole.length - 5 }), fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
          maxLength: 4,
        }),
        (changes) => {
          const bytes = whole.slice();
          for (const [index, byte] of changes) bytes[index] = byte;
          decodeOrRefuse(withChecksum(bytes));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it("[B10] random bytes after a right header are refused or decode to a valid block", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
        const bytes = new Uint8Array(12 + tail.length + 4);
        bytes.set(whole.subarray(0, 12));
        bytes.set(tail, 12);
        decodeOrRefuse(withChecksum(bytes));
        decodeOrRefuse(tail);
      }),
      { numRuns: 3000 },
    );
  });

  it("[B10] a claim of 2^53 readings in a few bytes is refused before anything is allocated", () => {
    const bytes = new Uint8Array(40);
    bytes.set(whole.subarray(0, 12));
    bytes.fill(0xff, 12, 19);
    expect(() => decodeBlock(withChecksum(bytes))).toThrow(BlockError);
  });
});
