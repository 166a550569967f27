// float64s → decimals: value = mantissa / 10^exponent, where that division gives back the very same float64,
// or one so near that the distance ("nudge") is cheaper to store than the value.
import { INTEGER_LIMIT, MAX_EXPONENT } from "./format.ts";
import { distanceInFloats } from "./words.ts";

/** 10^0 … 10^22, each exact. */
export const POWERS_OF_TEN = Float64Array.from({ length: MAX_EXPONENT + 1 }, (_, exponent) =>
  Number(`1e${exponent}`),
);

/** Adding and subtracting it rounds a double below 2^51 to an integer. */
const ROUNDING = 1.5 * 2 ** 52;

/** An exception takes 9 bytes, a digit 3.3 bits: it costs as much as this many digits. */
const EXCEPTION_COST_DIGITS = 22;

/** Values looked at to guess the exponent; all others are verified against the guess. */
const SAMPLE_LENGTH = 16;

/** Relative distance of up to 8 float64s: below MAX_NUDGE, above what sums and products of decimals stray. */
const NEAR = 2 ** -50;

/** What a decimal must give back: the value; the value after rounding to float32; a float64 near the value. */
export type Fit = "exact" | "float32" | "near";

/** How a column's values are written as decimals. */
export interface Decimals {
  fit: Fit;
  exponent: number;
  /** Indexes of values that are not such decimals, ascending. */
  exceptions: number[];
}

const NONE = MAX_EXPONENT + 1;
const needed = new Int32Array(NONE + 1);

/**
 * Fills `mantissas` (an exception repeats its neighbour's) and, for "near", `nudges`. Returns undefined when most
 * values are no such decimals. NaN and infinities come out as exceptions.
 */
export function fitDecimals(
  values: readonly number[],
  fit: Fit,
  mantissas: Float64Array,
  nudges: Float64Array,
): Decimals | undefined {
  const count = values.length;
  needed.fill(0);
  const step = Math.max(1, count / SAMPLE_LENGTH);
  // A digit is paid by each value that differs from the one before, and a little by those beside it.
  let changes = Math.min(count, SAMPLE_LENGTH) / 8;
  for (let at = 0; at < count; at += step) {
    const index = Math.floor(at);
    const exponent = smallestExponent(values[index]!, fit);
    if (index > 0 && values[index] !== values[index - 1]) changes++;
    needed[exponent] = needed[exponent]! + 1;
  }
  if (needed[NONE]! * 2 > Math.min(count, SAMPLE_LENGTH) && count > 4) return undefined;
  const guess = cheapestExponent(changes);
  const exceptions = scaleToIntegers(values, fit, guess, mantissas, nudges);
  if (exceptions.length === 0) return { fit, exponent: guess, exceptions };

  needed.fill(0);
  needed[guess] = count - exceptions.length;
  for (const index of exceptions) {
    const exponent = smallestExponent(values[index]!, fit);
    needed[exponent] = needed[exponent]! + 1;
  }
  const exponent = cheapestExponent(changes * step);
  if (exponent === guess) return { fit, exponent, exceptions };
  return { fit, exponent, exceptions: scaleToIntegers(values, fit, exponent, mantissas, nudges) };
}

/** The smallest exponent that holds `value`, or NONE. */
function smallestExponent(value: number, fit: Fit): number {
  if (Object.is(value, -0)) return NONE;
  const tolerance = fit === "near" ? Math.abs(value) * NEAR : 0;
  for (let exponent = 0; exponent <= MAX_EXPONENT; exponent++) {
    const power = POWERS_OF_TEN[exponent]!;
    const scaled = value * power;
    if (!(Math.abs(scaled) < INTEGER_LIMIT)) break;
    const quotient = (scaled + ROUNDING - ROUNDING) / power;
    if (Math.abs((fit === "float32" ? Math.fround(quotient) : quotient) - value) <= tolerance)
      return exponent;
  }
  return NONE;
}

/** The cheapest exponent, given how many values need which and how many differ from the one before (repeats cost no digits). */
function cheapestExponent(changes: number): number {
  let unfit = 0;
  for (let exponent = 0; exponent <= NONE; exponent++) unfit += needed[exponent]!;
  let best = 0;
  let leastCost = Number.POSITIVE_INFINITY;
  for (let exponent = 0; exponent <= MAX_EXPONENT; exponent++) {
    unfit -= needed[exponent]!;
    const cost = exponent * changes + EXCEPTION_COST_DIGITS * unfit;
    if (cost < leastCost) {
      leastCost = cost;
      best = exponent;
    }
  }
  return best;
}

/** Fills `mantissas` with value · 10^exponent and returns the indexes where that does not give the value back. */
function scaleToIntegers(
  values: readonly number[],
  fit: Fit,
  exponent: number,
  mantissas: Float64Array,
  nudges: Float64Array,
): number[] {
  const exceptions: number[] = [];
  const power = POWERS_OF_TEN[exponent]!;
  const isFloat32 = fit === "float32";
  const tolerance = fit === "near" ? NEAR : 0;
  if (tolerance > 0) nudges.fill(0, 0, values.length);
  let before = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const mantissa = value * power + ROUNDING - ROUNDING;
    const quotient = mantissa / power;
    const restored = isFloat32 ? Math.fround(quotient) : quotient;
    const inLimit = mantissa < INTEGER_LIMIT && mantissa > -INTEGER_LIMIT;
    if (restored === value && inLimit && (mantissa !== 0 || !Object.is(value, -0))) {
      before = mantissa;
    } else if (inLimit && mantissa !== 0 && Math.abs(restored - value) <= Math.abs(value) * tolerance) {
      nudges[i] = distanceInFloats(restored, value);
      before = mantissa;
    } else {
      exceptions.push(i);
    }
    mantissas[i] = before;
  }
  // Exceptions at the front had no neighbour yet; what follows them serves.
  let front = 0;
  while (exceptions[front] === front) front++;
  if (front > 0 && front < values.length) mantissas.fill(mantissas[front]!, 0, front);
  return exceptions;
}
