// An integer stream → integers, the inverse of encode-integers.ts.
import { BlockError } from "./block.ts";
import type { ByteReader } from "./byte-reader.ts";
import {
  ORDER_MASK,
  STREAM_CENTER,
  STREAM_CONSTANT,
  STREAM_RAW,
  STREAM_STRIDE,
  STREAM_WIDE,
} from "./format.ts";
import { decodeRice } from "./rice.ts";
import { float64Scratch, int32Scratch } from "./scratch.ts";
import { decodeWide } from "./wide.ts";

const KNOWN_BITS = ORDER_MASK | STREAM_CONSTANT | STREAM_STRIDE | STREAM_CENTER | STREAM_WIDE;

const narrowResiduals = int32Scratch();
const wideResiduals = float64Scratch();

/**
 * Reads `count` ≥ 1 integers into `integers`.
 * @throws BlockError `truncated` or `corrupt`
 */
export function decodeIntegers(reader: ByteReader, integers: Float64Array, count: number): void {
  const header = reader.byte();
  if (header === STREAM_RAW) {
    const start = reader.skip(count * 8);
    for (let i = 0; i < count; i++) {
      const integer = reader.view.getFloat64(start + i * 8);
      if (!Number.isInteger(integer)) throw new BlockError("corrupt", `raw integer ${integer} is none`);
      integers[i] = integer;
    }
    return;
  }
  const order = header & ORDER_MASK;
  if ((header & ~KNOWN_BITS) !== 0 || order === 3) {
    throw new BlockError("corrupt", `integer stream header ${header} is not assigned`);
  }
  const base = reader.signedVarint();
  const stride = header & STREAM_STRIDE ? reader.varint() : 1;
  const center = header & STREAM_CENTER ? reader.signedVarint() : 0;

  if (header & STREAM_CONSTANT) {
    integers.fill(0, 1, count);
  } else if (header & STREAM_WIDE) {
    const residuals = wideResiduals(count);
    decodeWide(reader, residuals, count - 1);
    for (let i = 1; i < count; i++) {
      const residual = residuals[i - 1]!;
      integers[i] = residual % 2 === 0 ? residual / 2 : -(residual + 1) / 2;
    }
  } else {
    const residuals = narrowResiduals(count);
    decodeRice(reader, residuals, count - 1);
    for (let i = 1; i < count; i++) {
      const residual = residuals[i - 1]!;
      integers[i] = (residual >>> 1) ^ -(residual & 1);
    }
  }
  restore(integers, count, order, base, stride, center);
}

/** Turns the residuals at 1 … count − 1 into integers, in place. */
function restore(
  integers: Float64Array,
  count: number,
  order: number,
  base: number,
  stride: number,
  center: number,
): void {
  integers[0] = base;
  if (order === 0) {
    for (let i = 1; i < count; i++) integers[i] = base + (integers[i]! + center) * stride;
    return;
  }
  let offset = 0;
  let delta = center;
  for (let i = 1; i < count; i++) {
    if (order === 1) offset += integers[i]! + center;
    else {
      delta += integers[i]!;
      offset += delta;
    }
    integers[i] = base + offset * stride;
  }
}
