// The values of one column → the cheapest of: decimals, decimals rounded to float32, float64 words.
import type { ByteWriter } from "./byte-writer.ts";
import { type DecimalFit, fitDecimals } from "./decimals.ts";
import { encodeIntegers } from "./encode-integers.ts";
import { VALUES_EXCEPTIONS, VALUES_FLOAT32, VALUES_WORDS } from "./format.ts";
import { float64Scratch } from "./scratch.ts";
import { notFinite, splitWords } from "./words.ts";

/** Above this many bits a value, decimals are compared with words; a typical sensor takes 5 to 10. */
const SUSPICIOUS_BITS_PER_VALUE = 24;

const firstIntegers = float64Scratch();
const secondIntegers = float64Scratch();

/** Appends `values`, at least one. Throws `not_finite`. */
export function encodeValues(writer: ByteWriter, values: readonly number[]): void {
  const count = values.length;
  const maxExceptions = 1 + (count >>> 2);
  const mantissas = firstIntegers(count);
  const start = writer.length;
  const fit = fitDecimals(values, false, maxExceptions, mantissas);
  if (fit !== undefined) {
    encodeDecimals(writer, values, fit, 0, mantissas);
    if ((writer.length - start) * 8 <= count * SUSPICIOUS_BITS_PER_VALUE + 128) return;
  }
  const other = otherMode(values, maxExceptions, mantissas);
  const otherStart = writer.length;
  if (typeof other === "object") encodeDecimals(writer, values, other, VALUES_FLOAT32, mantissas);
  else encodeWords(writer, values);
  keepShorter(writer, start, otherStart);
}

/** Float32 decimals where every sampled value is a float32, words otherwise. */
function otherMode(
  values: readonly number[],
  maxExceptions: number,
  mantissas: Float64Array,
): DecimalFit | "words" {
  const step = Math.max(1, values.length >>> 4);
  for (let i = 0; i < values.length; i += step) if (Math.fround(values[i]!) !== values[i]) return "words";
  const fit = fitDecimals(values, true, maxExceptions, mantissas);
  return fit === undefined || fit.exponent > 8 ? "words" : fit;
}

/** Of the two encodings at [start, otherStart) and [otherStart, length) keeps the shorter; either may be empty (absent). */
function keepShorter(writer: ByteWriter, start: number, otherStart: number): void {
  const firstLength = otherStart - start;
  const otherLength = writer.length - otherStart;
  if (firstLength > 0 && firstLength <= otherLength) {
    writer.length = otherStart;
    return;
  }
  writer.bytes.copyWithin(start, otherStart, writer.length);
  writer.length = start + otherLength;
}

function encodeDecimals(
  writer: ByteWriter,
  values: readonly number[],
  fit: DecimalFit,
  flags: number,
  mantissas: Float64Array,
): void {
  const { exponent, exceptions } = fit;
  writer.byte(exponent | flags | (exceptions.length > 0 ? VALUES_EXCEPTIONS : 0));
  encodeIntegers(writer, mantissas, values.length);
  if (exceptions.length === 0) return;
  writer.varint(exceptions.length);
  let before = -1;
  for (const index of exceptions) {
    const value = values[index]!;
    if (value - value !== 0) throw notFinite(value, index);
    writer.varint(index - before - 1);
    writer.float64(value);
    before = index;
  }
}

function encodeWords(writer: ByteWriter, values: readonly number[]): void {
  const highs = firstIntegers(values.length);
  const lows = secondIntegers(values.length);
  splitWords(values, highs, lows);
  writer.byte(VALUES_WORDS);
  encodeIntegers(writer, highs, values.length);
  encodeIntegers(writer, lows, values.length);
}
