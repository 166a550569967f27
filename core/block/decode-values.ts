// A column's value bytes → its values, the inverse of encode-values.ts.
import { BlockError } from "./block.ts";
import type { ByteReader } from "./byte-reader.ts";
import { POWERS_OF_TEN } from "./decimals.ts";
import { decodeIntegers } from "./decode-integers.ts";
import {
  EXPONENT_MASK,
  EXPONENT_WORDS,
  MAX_EXPONENT,
  MAX_NUDGE,
  VALUES_EXCEPTIONS,
  VALUES_FLOAT32,
  VALUES_NUDGED,
} from "./format.ts";
import { float64Scratch } from "./scratch.ts";
import { floatAtDistance, joinWords } from "./words.ts";

const firstIntegers = float64Scratch();
const secondIntegers = float64Scratch();

/**
 * Reads `count` ≥ 1 values and returns them in a new array.
 * @throws BlockError `truncated` or `corrupt`
 */
export function decodeValues(reader: ByteReader, count: number): number[] {
  const mode = reader.byte();
  const exponent = mode & EXPONENT_MASK;
  if (exponent > MAX_EXPONENT && mode !== EXPONENT_WORDS) {
    throw new BlockError("corrupt", `value mode ${mode} is not assigned`);
  }
  const numbers = firstIntegers(count);
  decodeIntegers(reader, numbers, count);
  if (mode === EXPONENT_WORDS) {
    const lows = secondIntegers(count);
    decodeIntegers(reader, lows, count);
    joinWords(numbers, lows, count);
    return toArray(numbers, count);
  }
  const power = POWERS_OF_TEN[exponent]!;
  if (mode & VALUES_FLOAT32) for (let i = 0; i < count; i++) numbers[i] = Math.fround(numbers[i]! / power);
  else if (exponent > 0) for (let i = 0; i < count; i++) numbers[i] = numbers[i]! / power;
  if (mode & VALUES_NUDGED) decodeNudges(reader, numbers, count);
  const values = toArray(numbers, count);
  if (mode & VALUES_EXCEPTIONS) decodeExceptions(reader, values);
  return values;
}

function decodeNudges(reader: ByteReader, numbers: Float64Array, count: number): void {
  const nudges = secondIntegers(count);
  decodeIntegers(reader, nudges, count);
  for (let i = 0; i < count; i++) {
    const nudge = nudges[i]!;
    if (nudge === 0) continue;
    const value = floatAtDistance(numbers[i]!, nudge);
    if (Math.abs(nudge) > MAX_NUDGE || value - value !== 0) {
      throw new BlockError("corrupt", `value ${numbers[i]} cannot be nudged by ${nudge}`);
    }
    numbers[i] = value;
  }
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
