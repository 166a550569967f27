// A column's value bytes → its values, the inverse of encode-values.ts.
import { BlockError } from "./block.ts";
import type { ByteReader } from "./byte-reader.ts";
import { POWERS_OF_TEN } from "./decimals.ts";
import { decodeIntegers } from "./decode-integers.ts";
import { EXPONENT_MASK, MAX_EXPONENT, VALUES_EXCEPTIONS, VALUES_FLOAT32, VALUES_WORDS } from "./format.ts";
import { float64Scratch } from "./scratch.ts";
import { joinWords } from "./words.ts";

const firstIntegers = float64Scratch();
const secondIntegers = float64Scratch();

/** Reads `count` ≥ 1 values into a new array. Fails with `truncated` or `corrupt`. */
export function decodeValues(reader: ByteReader, count: number): number[] {
  const mode = reader.byte();
  const integers = firstIntegers(count);
  decodeIntegers(reader, integers, count);
  if (mode === VALUES_WORDS) {
    const lows = secondIntegers(count);
    decodeIntegers(reader, lows, count);
    joinWords(integers, lows, count);
    return toArray(integers, count);
  }
  const exponent = mode & EXPONENT_MASK;
  if ((mode & VALUES_WORDS) !== 0 || exponent > MAX_EXPONENT) {
    throw new BlockError("corrupt", `value mode ${mode} is not assigned`);
  }
  const power = POWERS_OF_TEN[exponent]!;
  if (mode & VALUES_FLOAT32) for (let i = 0; i < count; i++) integers[i] = Math.fround(integers[i]! / power);
  else if (exponent > 0) for (let i = 0; i < count; i++) integers[i] = integers[i]! / power;
  const values = toArray(integers, count);
  if (mode & VALUES_EXCEPTIONS) decodeExceptions(reader, values);
  return values;
}

function decodeExceptions(reader: ByteReader, values: number[]): void {
  const exceptionCount = reader.varint();
  let index = -1;
  for (let n = 0; n < exceptionCount; n++) {
    index += reader.varint() + 1;
    const value = reader.float64();
    if (index >= values.length) {
      throw new BlockError("corrupt", `exception at index ${index} of a column of ${values.length} values`);
    }
    if (value - value !== 0) throw new BlockError("corrupt", `exception ${value} is not finite`);
    values[index] = value;
  }
}

/** A plain array of the first `count` numbers. */
export function toArray(numbers: Float64Array, count: number): number[] {
  const array = new Array<number>(count);
  for (let i = 0; i < count; i++) array[i] = numbers[i]!;
  return array;
}
