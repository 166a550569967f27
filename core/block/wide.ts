// Integers in [0, 2^53] ↔ mini-blocks of plain fields, each mini-block with its own width.
// The rare path: long decimals, large counters that jump, the low words of full-precision doubles.
import { BitReader } from "./bit-reader.ts";
import { BitWriter } from "./bit-writer.ts";
import { BlockError } from "./block.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { MINI_BLOCK_LENGTH } from "./format.ts";

/** A field is written as what lies above its low 28 bits, then these. */
const LOW_BITS = 28;
const LOW_SCALE = 2 ** LOW_BITS;
const MAX_WIDTH = 54;

/** Number of bits of an integer in [0, 2^54). */
export function bitLength(value: number): number {
  return value < 2 ** 32 ? 32 - Math.clz32(value) : 64 - Math.clz32(value / 2 ** 32);
}

/** Appends `values[0 … count)` and pads to a whole byte. */
export function encodeWide(writer: ByteWriter, values: Float64Array, count: number): void {
  const bits = new BitWriter(writer, count * 7 + (count >>> 4) + 16);
  for (let from = 0; from < count; from += MINI_BLOCK_LENGTH) {
    const to = Math.min(from + MINI_BLOCK_LENGTH, count);
    let max = 0;
    for (let i = from; i < to; i++) if (values[i]! > max) max = values[i]!;
    const width = bitLength(max);
    bits.put(width, 6);
    for (let i = from; i < to; i++) {
      const high = Math.floor(values[i]! / LOW_SCALE);
      if (width > LOW_BITS) bits.put(high, width - LOW_BITS);
      bits.put(values[i]! - high * LOW_SCALE, Math.min(width, LOW_BITS));
    }
  }
  bits.end();
}

/**
 * Reads `count` integers into `values`, the inverse of `encodeWide`.
 * @throws BlockError `truncated` or `corrupt`
 */
export function decodeWide(reader: ByteReader, values: Float64Array, count: number): void {
  const bits = new BitReader(reader);
  for (let from = 0; from < count; from += MINI_BLOCK_LENGTH) {
    const to = Math.min(from + MINI_BLOCK_LENGTH, count);
    const width = bits.read(6);
    if (width > MAX_WIDTH)
      throw new BlockError("corrupt", `a wide mini-block has fields of ${width} bits, over 54`);
    for (let i = from; i < to; i++) {
      const high = width > LOW_BITS ? bits.read(width - LOW_BITS) : 0;
      values[i] = high * LOW_SCALE + bits.read(Math.min(width, LOW_BITS));
    }
  }
  bits.end();
}
