// float64 ↔ its two 32-bit words.
import { BlockError } from "./block.ts";

const view = new DataView(new ArrayBuffer(8));

/**
 * Values → two integers each: `highs` (int32, rising as the values rise) and `lows` (uint32).
 * The mode for full-precision doubles: neighbours share sign, exponent and some of the mantissa, which deltas of
 * the highs drop; the lows of float32-born values are multiples of 2^29, which the stride drops.
 * @throws BlockError `not_finite`
 */
export function splitWords(values: readonly number[], highs: Float64Array, lows: Float64Array): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value - value !== 0) throw notFinite(value, i);
    view.setFloat64(0, value);
    const high = view.getInt32(0);
    highs[i] = high < 0 ? high ^ 0x7fffffff : high;
    lows[i] = view.getUint32(4);
  }
}

/**
 * The inverse of `splitWords`: replaces `highs` by the values.
 * @throws BlockError `corrupt` where the words are no finite float64.
 */
export function joinWords(highs: Float64Array, lows: Float64Array, count: number): void {
  for (let i = 0; i < count; i++) {
    const high = highs[i]!;
    const low = lows[i]!;
    view.setInt32(0, high < 0 ? high ^ 0x7fffffff : high);
    view.setUint32(4, low);
    const value = view.getFloat64(0);
    if ((high | 0) !== high || low >>> 0 !== low || value - value !== 0) {
      throw new BlockError("corrupt", `words ${high} and ${low} are no finite float64`);
    }
    highs[i] = value;
  }
}

/**
 * Returns how many float64s lie from `from` to `to`, away from zero positive; both are of one sign and near each
 * other.
 */
export function distanceInFloats(from: number, to: number): number {
  view.setFloat64(0, from);
  const fromHigh = view.getInt32(0);
  const fromLow = view.getUint32(4);
  view.setFloat64(0, to);
  return (view.getInt32(0) - fromHigh) * 2 ** 32 + view.getUint32(4) - fromLow;
}

/** Returns the float64 at a distance from `from`; |distance| < 2^31. It is not finite when it would cross zero. */
export function floatAtDistance(from: number, distance: number): number {
  view.setFloat64(0, from);
  const low = view.getUint32(4) + distance;
  view.setUint32(4, low);
  view.setInt32(0, view.getInt32(0) + Math.floor(low / 2 ** 32));
  return view.getFloat64(0);
}

/** Returns the error for a value that is NaN or infinite. */
export function notFinite(value: number, index: number): BlockError {
  return new BlockError(
    "not_finite",
    `value ${index} of a column is ${value}: only finite numbers can be stored`,
  );
}
