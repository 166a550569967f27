// The values of one column → the cheapest of: decimals (exact, float32-born, nudged), float64 words.
import type { ByteWriter } from "./byte-writer.ts";
import { type Decimals, type Fit, fitDecimals } from "./decimals.ts";
import { encodeIntegers } from "./encode-integers.ts";
import { EXPONENT_WORDS, VALUES_EXCEPTIONS, VALUES_FLOAT32, VALUES_NUDGED } from "./format.ts";
import { float64Scratch } from "./scratch.ts";
import { notFinite, splitWords } from "./words.ts";

/** A typical sensor takes 5 to 10 bits a value: what takes more than this is worth the search for another mode. */
const SUSPICIOUS_BITS_PER_VALUE = 24;

/** One exception in so many values is few enough. */
const FEW_EXCEPTIONS = 16;

const FLAGS: Record<Fit, number> = { exact: 0, float32: VALUES_FLOAT32, near: VALUES_NUDGED };

const firstIntegers = float64Scratch();
const secondIntegers = float64Scratch();

/**
 * Appends `values`, at least one.
 * @throws BlockError `not_finite`
 */
export function encodeValues(writer: ByteWriter, values: readonly number[]): void {
  const start = writer.length;
  const exceptionCount = encodeDecimals(writer, values, "exact");
  if (exceptionCount * FEW_EXCEPTIONS <= values.length && isCheap(writer, start, values)) return;
  const other = writer.length;
  const fit = looksLikeFloat32(values) ? "float32" : "near";
  if (encodeDecimals(writer, values, fit) < Number.POSITIVE_INFINITY) {
    keepShorter(writer, start, other);
    if (isCheap(writer, start, values)) return;
  }
  const words = writer.length;
  encodeWords(writer, values);
  keepShorter(writer, start, words);
}

function isCheap(writer: ByteWriter, start: number, values: readonly number[]): boolean {
  // The headers and the first value are not what another mode would save.
  return (writer.length - start - 16) * 8 <= values.length * SUSPICIOUS_BITS_PER_VALUE;
}

function looksLikeFloat32(values: readonly number[]): boolean {
  const step = Math.max(1, values.length >>> 4);
  for (let i = 0; i < values.length; i += step) if (Math.fround(values[i]!) !== values[i]) return false;
  return true;
}

/** Of the encodings at [start, other) and [other, length) keeps the shorter; the first may be absent. */
function keepShorter(writer: ByteWriter, start: number, other: number): void {
  const otherBytes = writer.length - other;
  if (other > start && other - start <= otherBytes) {
    writer.length = other;
    return;
  }
  writer.bytes.copyWithin(start, other, writer.length);
  writer.length = start + otherBytes;
}

/** Appends the values as decimals and returns how many are exceptions: Infinity, and nothing appended, if most are. */
function encodeDecimals(writer: ByteWriter, values: readonly number[], fit: Fit): number {
  const count = values.length;
  const mantissas = firstIntegers(count);
  const nudges = secondIntegers(count);
  const decimals = fitDecimals(values, fit, mantissas, nudges);
  if (decimals === undefined) return Number.POSITIVE_INFINITY;
  writer.byte(decimals.exponent | FLAGS[fit] | (decimals.exceptions.length > 0 ? VALUES_EXCEPTIONS : 0));
  encodeIntegers(writer, mantissas, count);
  if (fit === "near") encodeIntegers(writer, nudges, count);
  if (decimals.exceptions.length > 0) encodeExceptions(writer, values, decimals);
  return decimals.exceptions.length;
}

function encodeExceptions(writer: ByteWriter, values: readonly number[], { exceptions }: Decimals): void {
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
  writer.byte(EXPONENT_WORDS);
  encodeIntegers(writer, highs, values.length);
  encodeIntegers(writer, lows, values.length);
}
