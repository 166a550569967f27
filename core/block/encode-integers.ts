// Integers → an integer stream: header, base, stride, center, then the residuals of the cheapest order.
//
// offset[i] = (integer[i] − base) / stride, base = integer[0]; residuals begin at index 1:
//   order 0: offset[i] − center
//   order 1: offset[i] − offset[i−1] − center
//   order 2: offset[i] − 2·offset[i−1] + offset[i−2], with offset[−1] = −center
import type { ByteWriter } from "./byte-writer.ts";
import {
  INTEGER_LIMIT,
  STREAM_CENTER,
  STREAM_CONSTANT,
  STREAM_RAW,
  STREAM_STRIDE,
  STREAM_WIDE,
} from "./format.ts";
import { encodeRice } from "./rice.ts";
import { float64Scratch, int32Scratch } from "./scratch.ts";
import { bitLength, encodeWide } from "./wide.ts";

/** Offsets in this range keep every residual, zigzagged, in an int32. */
const NARROW_RANGE = 2 ** 27;

const narrowOffsets = int32Scratch();
const narrowResiduals = int32Scratch();
const wideOffsets = float64Scratch();
const wideResiduals = float64Scratch();

/** Appends `integers[0 … count)`, each an integer with |x| ≤ 2^53, count ≥ 1. */
export function encodeIntegers(writer: ByteWriter, integers: Float64Array, count: number): void {
  const base = integers[0]!;
  let min = base;
  let max = base;
  for (let i = 1; i < count; i++) {
    const integer = integers[i]!;
    if (integer < min) min = integer;
    if (integer > max) max = integer;
  }
  if (min <= -INTEGER_LIMIT || max >= INTEGER_LIMIT) encodeRaw(writer, integers, count);
  else if (min === max) encodeHeader(writer, STREAM_CONSTANT, base, 1, 0);
  else if (max - min < NARROW_RANGE) encodeNarrow(writer, integers, count);
  else encodeFar(writer, integers, count);
}

function encodeHeader(
  writer: ByteWriter,
  header: number,
  base: number,
  stride: number,
  center: number,
): void {
  writer.byte(header | (stride === 1 ? 0 : STREAM_STRIDE) | (center === 0 ? 0 : STREAM_CENTER));
  writer.signedVarint(base);
  if (stride !== 1) writer.varint(stride);
  if (center !== 0) writer.signedVarint(center);
}

function encodeRaw(writer: ByteWriter, integers: Float64Array, count: number): void {
  writer.byte(STREAM_RAW);
  writer.reserve(count * 8);
  for (let i = 0; i < count; i++) writer.float64(integers[i]!);
}

function encodeNarrow(writer: ByteWriter, integers: Float64Array, count: number): void {
  const base = integers[0]!;
  const offsets = narrowOffsets(count);
  for (let i = 0; i < count; i++) offsets[i] = integers[i]! - base;
  const stride = divideByStride(offsets, count);
  const center0 = meanOf(offsets, count);
  const center1 = commonDelta(offsets, count);

  let bits0 = 0;
  let bits1 = 0;
  let bits2 = 0;
  let before = 0;
  let deltaBefore = offsets[1]!;
  for (let i = 1; i < count; i++) {
    const offset = offsets[i]!;
    const delta = offset - before;
    bits0 -= Math.clz32(zigzag(offset - center0));
    bits1 -= Math.clz32(zigzag(delta - center1));
    bits2 -= Math.clz32(zigzag(delta - deltaBefore));
    before = offset;
    deltaBefore = delta;
  }
  const order = bits1 <= bits0 ? (bits2 < bits1 ? 2 : 1) : bits2 < bits0 ? 2 : 0;
  const least = Math.min(bits0, bits1, bits2) + 32 * (count - 1);
  const center = order === 0 ? center0 : order === 1 ? center1 : offsets[1]!;
  encodeHeader(writer, order | (least === 0 ? STREAM_CONSTANT : 0), base, stride, center);
  if (least === 0) return;

  const residuals = narrowResiduals(count);
  if (order === 0) {
    for (let i = 1; i < count; i++) residuals[i - 1] = zigzag(offsets[i]! - center);
  } else if (order === 1) {
    for (let i = 1; i < count; i++) residuals[i - 1] = zigzag(offsets[i]! - offsets[i - 1]! - center);
  } else {
    residuals[0] = 0;
    for (let i = 2; i < count; i++) {
      residuals[i - 1] = zigzag(offsets[i]! - 2 * offsets[i - 1]! + offsets[i - 2]!);
    }
  }
  encodeRice(writer, residuals, count - 1);
}

/** Signed → unsigned int32, small magnitudes first: 0, −1, 1, −2 … → 0, 1, 2, 3 … */
function zigzag(value: number): number {
  return (value << 1) ^ (value >> 31);
}

/** Divides the offsets in place by their greatest common divisor and returns it. */
function divideByStride(offsets: Int32Array, count: number): number {
  let stride = 0;
  for (let i = 1; i < count && stride !== 1; i++) {
    let rest = Math.abs(offsets[i]!);
    // On a regular clock the second operand divides at once.
    while (stride !== 0) {
      const next = rest % stride | 0;
      if (next === 0) break;
      rest = stride;
      stride = next;
    }
    if (stride === 0) stride = rest;
  }
  if (stride > 1) for (let i = 1; i < count; i++) offsets[i] = offsets[i]! / stride;
  return stride;
}

function meanOf(offsets: Int32Array, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += offsets[i]!;
  return Math.round(sum / count) | 0;
}

/**
 * The delta that more than half of the steps have (a regular clock with gaps), else the mean one (a drifting clock, a counter).
 * The candidate is the survivor of the Boyer–Moore vote, so one pass finds it and one confirms it.
 */
function commonDelta(offsets: Int32Array, count: number): number {
  let candidate = 0;
  let votes = 0;
  for (let i = 1; i < count; i++) {
    const delta = offsets[i]! - offsets[i - 1]!;
    if (votes === 0) {
      candidate = delta;
      votes = 1;
    } else votes += delta === candidate ? 1 : -1;
  }
  let matches = 0;
  if (votes > 0) for (let i = 1; i < count; i++) if (offsets[i]! - offsets[i - 1]! === candidate) matches++;
  if (matches * 2 > count - 1) return candidate;
  return Math.round(offsets[count - 1]! / (count - 1)) | 0;
}

/** The same as `encodeNarrow` in doubles, for integers too far apart for int32; no stride but the words' 2^k. */
function encodeFar(writer: ByteWriter, integers: Float64Array, count: number): void {
  const base = integers[0]!;
  const offsets = wideOffsets(count);
  for (let i = 0; i < count; i++) offsets[i] = integers[i]! - base;
  const stride = divideByFarStride(offsets, count);
  let sum = 0;
  for (let i = 0; i < count; i++) sum += offsets[i]! / count;
  const centers = [Math.round(sum), Math.round(offsets[count - 1]! / (count - 1)), offsets[1]!];

  const residuals = wideResiduals(count);
  let order = 0;
  let leastBits = Number.POSITIVE_INFINITY;
  for (let candidate = 0; candidate < 3; candidate++) {
    farResiduals(offsets, count, candidate, centers[candidate]!, residuals);
    let bits = 0;
    for (let i = 0; i < count - 1; i++) bits += bitLength(residuals[i]!);
    if (bits < leastBits) {
      leastBits = bits;
      order = candidate;
    }
  }
  const max = farResiduals(offsets, count, order, centers[order]!, residuals);
  const wide = max >= 2 ** 31;
  const form = leastBits === 0 ? STREAM_CONSTANT : wide ? STREAM_WIDE : 0;
  encodeHeader(writer, order | form, base, stride, centers[order]!);
  if (leastBits === 0) return;
  if (wide) {
    encodeWide(writer, residuals, count - 1);
    return;
  }
  const narrow = narrowResiduals(count);
  for (let i = 0; i < count - 1; i++) narrow[i] = residuals[i]!;
  encodeRice(writer, narrow, count - 1);
}

/** Fills `residuals` with the zigzagged residuals of `order` and returns the largest. */
function farResiduals(
  offsets: Float64Array,
  count: number,
  order: number,
  center: number,
  residuals: Float64Array,
): number {
  let max = 0;
  let before = 0;
  let deltaBefore = center;
  for (let i = 1; i < count; i++) {
    const offset = offsets[i]!;
    const delta = offset - before;
    const residual = order === 0 ? offset - center : order === 1 ? delta - center : delta - deltaBefore;
    before = offset;
    deltaBefore = delta;
    const unsigned = residual < 0 ? -2 * residual - 1 : 2 * residual;
    residuals[i - 1] = unsigned;
    if (unsigned > max) max = unsigned;
  }
  return max;
}

function divideByFarStride(offsets: Float64Array, count: number): number {
  let stride = 0;
  for (let i = 1; i < count && stride !== 1; i++) {
    let rest = Math.abs(offsets[i]!);
    if (stride === 0) {
      stride = rest;
      continue;
    }
    while (rest !== 0) {
      const next = stride % rest;
      stride = rest;
      rest = next;
    }
  }
  if (stride > 1) for (let i = 1; i < count; i++) offsets[i] = offsets[i]! / stride;
  return stride;
}
