// How finely a metric's values are given: a move of one step may be rounding, not behaviour.

/** Relative; what a value that went through single precision differs by from the decimal number it stands for. */
const SINGLE_PRECISION = 1e-7;
const MOST_DECIMALS = 255;
const POWERS = Array.from({ length: MOST_DECIMALS }, (_, decimals) => 10 ** decimals);

/**
 * Returns how many decimals a finite value is given with, to seven significant digits, 0 to 255: of 21.3 one, also
 * when single precision made 21.299999 of it; of an integer none.
 *
 * @example
 * decimalsOf(Math.fround(21.3)); // 1
 * decimalsOf(-5.000001); // 6
 */
export function decimalsOf(value: number): number {
  const size = Math.abs(value);
  if (size === 0) return 0;
  let decimals = size >= 1 ? 0 : -Math.floor(Math.log10(size));
  // At most eight rounds: of more than 5 million steps every number is a whole number of them, nearly enough.
  for (; decimals < MOST_DECIMALS; decimals++) {
    const steps = size * POWERS[decimals]!;
    if (Math.abs(steps - Math.round(steps)) <= steps * SINGLE_PRECISION) return decimals;
  }
  return MOST_DECIMALS;
}
