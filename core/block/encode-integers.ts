// Integers → an integer stream: header, base, stride, center, then the residuals of the cheapest order.
//
// offset[i] = (integer[i] − base) / stride, base = integer[0]; residuals begin at index 1:
//   order 0: offset[i] − center
//   order 1: offset[i] − offset[i−1] − center
//   order 2: offset[i] − 2·offset[i−1] + offset[i−2], with offset[−1] = −center
import type { ByteWriter } from "./byte-writer.ts";
import { encodeFar } from "./encode-far.ts";
import { encodeNarrow } from "./encode-narrow.ts";
import { INTEGER_LIMIT, NARROW_RANGE, STREAM_CONSTANT, STREAM_RAW } from "./format.ts";
import { int32Scratch } from "./scratch.ts";
import { encodeStreamHeader } from "./stream-header.ts";
import { divideByStride } from "./stride.ts";

const offsetScratch = int32Scratch();

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
  if (min <= -INTEGER_LIMIT || max >= INTEGER_LIMIT) {
    encodeRaw(writer, integers, count);
  } else if (min === max) {
    encodeStreamHeader(writer, STREAM_CONSTANT, base, 1, 0);
  } else if (max - min < NARROW_RANGE) {
    const offsets = offsetScratch(count);
    for (let i = 0; i < count; i++) offsets[i] = integers[i]! - base;
    encodeNarrow(writer, base, divideByStride(offsets, count), offsets, count);
  } else {
    encodeFar(writer, integers, count, max - min);
  }
}

function encodeRaw(writer: ByteWriter, integers: Float64Array, count: number): void {
  writer.byte(STREAM_RAW);
  for (let i = 0; i < count; i++) writer.float64(integers[i]!);
}
