// float64 ↔ decimal: value = mantissa / 10^exponent, where that division gives back the very same float64.
import { INTEGER_LIMIT, MAX_EXPONENT } from "./format.ts";

/** 10^0 … 10^22, each exact. */
export const POWERS_OF_TEN = Float64Array.from({ length: MAX_EXPONENT + 1 }, (_, exponent) =>
  Number(`1e${exponent}`),
);

/** Adding and subtracting it rounds a double below 2^51 to an integer. */
const ROUNDING = 1.5 * 2 ** 52;

/** A value that no exponent fits costs this many exponents' worth of digits: 10 bytes against 3.3 bits a digit. */
const EXCEPTION_COST_DIGITS = 24;

/** Values looked at to guess the exponent; all others are verified against the guess. */
const SAMPLE_LENGTH = 32;

export interface DecimalFit {
  exponent: number;
  /** Indexes of values that are not such decimals, ascending. */
  exceptions: number[];
}

/** The smallest exponent that holds `value`, or MAX_EXPONENT + 1 when none does. */
export function smallestExponent(value: number, isFloat32: boolean): number {
  if (Object.is(value, -0)) return MAX_EXPONENT + 1;
  for (let exponent = 0; exponent <= MAX_EXPONENT; exponent++) {
    const power = POWERS_OF_TEN[exponent]!;
    const scaled = value * power;
    if (!(Math.abs(scaled) < INTEGER_LIMIT)) break;
    const quotient = (scaled + ROUNDING - ROUNDING) / power;
    if ((isFloat32 ? Math.fround(quotient) : quotient) === value) return exponent;
  }
  return MAX_EXPONENT + 1;
}

/** The exponent that makes digits and exceptions together cheapest, given how many values need which. */
function cheapestExponent(needed: Int32Array): number {
  let total = 0;
  for (let i = 0; i < needed.length; i++) total += needed[i]!;
  let best = 0;
  let leastCost = Number.POSITIVE_INFINITY;
  let fitting = 0;
  for (let exponent = 0; exponent <= MAX_EXPONENT; exponent++) {
    fitting += needed[exponent]!;
    const cost = exponent * total + EXCEPTION_COST_DIGITS * (total - fitting);
    if (cost < leastCost) {
      leastCost = cost;
      best = exponent;
    }
  }
  return best;
}

const needed = new Int32Array(MAX_EXPONENT + 2);

/**
 * Fills `mantissas` (an exception repeats its neighbour's), or returns undefined when more than `maxExceptions`
 * values are no decimals: then another mode is cheaper. NaN and infinities come out as exceptions.
 */
export function fitDecimals(
  values: readonly number[],
  isFloat32: boolean,
  maxExceptions: number,
  mantissas: Float64Array,
): DecimalFit | undefined {
  const count = values.length;
  needed.fill(0);
  const step = Math.max(1, count / SAMPLE_LENGTH);
  for (let at = 0; at < count; at += step) {
    const exponent = smallestExponent(values[Math.floor(at)]!, isFloat32);
    needed[exponent] = needed[exponent]! + 1;
  }
  // At half of the sample or more, what does not fit will not be few.
  if (needed[MAX_EXPONENT + 1]! * 2 > Math.min(count, SAMPLE_LENGTH) && count > 4) return undefined;
  const guess = cheapestExponent(needed);
  const exceptions = scaleToIntegers(values, isFloat32, guess, mantissas);
  if (exceptions.length === 0) return { exponent: guess, exceptions };

  needed.fill(0);
  needed[guess] = count - exceptions.length;
  for (const index of exceptions) {
    const exponent = smallestExponent(values[index]!, isFloat32);
    needed[exponent] = needed[exponent]! + 1;
  }
  const exponent = cheapestExponent(needed);
  const fit = {
    exponent,
    exceptions: exponent === guess ? exceptions : scaleToIntegers(values, isFloat32, exponent, mantissas),
  };
  return fit.exceptions.length > maxExceptions ? undefined : fit;
}

/** Fills `mantissas` with value · 10^exponent and returns the indexes where that does not give the value back. */
function scaleToIntegers(
  values: readonly number[],
  isFloat32: boolean,
  exponent: number,
  mantissas: Float64Array,
): number[] {
  const exceptions: number[] = [];
  const power = POWERS_OF_TEN[exponent]!;
  let before = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const scaled = value * power;
    const mantissa = scaled + ROUNDING - ROUNDING;
    const quotient = mantissa / power;
    const restored = isFloat32 ? Math.fround(quotient) : quotient;
    if (
      restored === value &&
      mantissa < INTEGER_LIMIT &&
      mantissa > -INTEGER_LIMIT &&
      (mantissa !== 0 || !Object.is(value, -0))
    ) {
      if (exceptions.length === i) mantissas.fill(mantissa, 0, i);
      mantissas[i] = mantissa;
      before = mantissa;
    } else {
      exceptions.push(i);
      mantissas[i] = before;
    }
  }
  return exceptions;
}
