// Sums and differences of decimal numbers, without what binary fractions add to them.

/** Decimal digits that survive in a double. */
const DIGITS = 15;
/** What a number is written with at most behind the point. */
const MOST_DECIMALS = 100;

/**
 * Returns the result of a calculation with the digits that its operands vouch for, 15 from the first of the largest: of
 * 1.1 − 1, which is 0.10000000000000009 in binary, 0.1. A result that is not finite stays as it is.
 *
 * @param largest the largest of the operands and the result, regardless of sign
 */
export function withoutRounding(result: number, largest: number): number {
  if (!Number.isFinite(result) || !Number.isFinite(largest) || result === 0) return result;
  const decimals = DIGITS - 1 - Math.floor(Math.log10(largest));
  if (decimals < 0 || decimals > MOST_DECIMALS) return result;
  return Number(result.toFixed(decimals));
}

/** Returns `left − right` without the rounding of binary fractions. */
export const difference = (left: number, right: number): number =>
  withoutRounding(left - right, Math.max(Math.abs(left), Math.abs(right)));
