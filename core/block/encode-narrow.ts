// Int32 offsets → an integer stream whose residuals fit an int32: the path of nearly every column.
import type { ByteWriter } from "./byte-writer.ts";
import { STREAM_CONSTANT } from "./format.ts";
import { encodeRice } from "./rice.ts";
import { int32Scratch } from "./scratch.ts";
import { encodeStreamHeader } from "./stream-header.ts";

const residualScratch = int32Scratch();

/** Appends `base + offsets · stride`; offsets[0] = 0, all within a range of 2^27, count ≥ 2. */
export function encodeNarrow(
  writer: ByteWriter,
  base: number,
  stride: number,
  offsets: Int32Array,
  count: number,
): void {
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
  encodeStreamHeader(writer, order | (least === 0 ? STREAM_CONSTANT : 0), base, stride, center);
  if (least === 0) return;

  const residuals = residualScratch(count);
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
