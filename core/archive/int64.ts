// Instants as numbers ↔ as the 64-bit integers that Parquet stores, without an object for each in between.

const WORD = 2 ** 32;
const LOW = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 0 : 1;

/** Returns whole numbers up to 2^53, of either sign, as 64-bit integers. */
export function toInt64(numbers: ArrayLike<number>): BigInt64Array {
  const integers = new BigInt64Array(numbers.length);
  const words = new Int32Array(integers.buffer);
  for (let i = 0; i < numbers.length; i++) {
    const high = Math.floor(numbers[i]! / WORD);
    words[2 * i + LOW] = (numbers[i]! - high * WORD) | 0;
    words[2 * i + 1 - LOW] = high;
  }
  return integers;
}

/** Returns the numbers that `toInt64` made the integers of. */
export function fromInt64({ buffer, byteOffset, length }: BigInt64Array): Float64Array {
  const words = new Int32Array(buffer, byteOffset, 2 * length);
  const numbers = new Float64Array(length);
  for (let i = 0; i < length; i++) numbers[i] = words[2 * i + 1 - LOW]! * WORD + (words[2 * i + LOW]! >>> 0);
  return numbers;
}
