// Integers too far apart for int32 → an integer stream, with the arithmetic in doubles.
import type { ByteWriter } from "./byte-writer.ts";
import { encodeNarrow } from "./encode-narrow.ts";
import { NARROW_RANGE, STREAM_CONSTANT, STREAM_WIDE } from "./format.ts";
import { encodeRice } from "./rice.ts";
import { float64Scratch, int32Scratch } from "./scratch.ts";
import { encodeStreamHeader } from "./stream-header.ts";
import { divideByFarStride } from "./stride.ts";
import { bitLength, encodeWide } from "./wide.ts";

const offsetScratch = float64Scratch();
const residualScratch = float64Scratch();
const narrowScratch = int32Scratch();

/** Appends `integers[0 … count)`, which span `range`; |x| < 2^49, count ≥ 2. */
export function encodeFar(writer: ByteWriter, integers: Float64Array, count: number, range: number): void {
  const base = integers[0]!;
  const offsets = offsetScratch(count);
  for (let i = 0; i < count; i++) offsets[i] = integers[i]! - base;
  const stride = divideByFarStride(offsets, count);
  if (range / stride < NARROW_RANGE) {
    encodeNarrow(writer, base, stride, toInt32(offsets, count), count);
    return;
  }
  let sum = 0;
  for (let i = 0; i < count; i++) sum += offsets[i]! / count;
  const centers = [Math.round(sum), Math.round(offsets[count - 1]! / (count - 1)), offsets[1]!];

  const residuals = residualScratch(count);
  let order = 0;
  let leastBits = Number.POSITIVE_INFINITY;
  for (let candidate = 0; candidate < 3; candidate++) {
    fillResiduals(offsets, count, candidate, centers[candidate]!, residuals);
    let bits = 0;
    for (let i = 0; i < count - 1; i++) bits += bitLength(residuals[i]!);
    if (bits < leastBits) {
      leastBits = bits;
      order = candidate;
    }
  }
  const max = fillResiduals(offsets, count, order, centers[order]!, residuals);
  const form = max === 0 ? STREAM_CONSTANT : max >= 2 ** 31 ? STREAM_WIDE : 0;
  encodeStreamHeader(writer, order | form, base, stride, centers[order]!);
  if (form === STREAM_WIDE) encodeWide(writer, residuals, count - 1);
  else if (form === 0) encodeRice(writer, toInt32(residuals, count - 1), count - 1);
}

function toInt32(integers: Float64Array, count: number): Int32Array {
  const narrow = narrowScratch(count);
  for (let i = 0; i < count; i++) narrow[i] = integers[i]!;
  return narrow;
}

/** Fills `residuals` with the zigzagged residuals of `order` and returns the largest. */
function fillResiduals(
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
