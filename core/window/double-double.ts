// Sums that do not depend on the order of adding: each is kept as an unevaluated pair high + low (about 106 bits).
// Source: Dekker, "A floating-point technique for extending the available precision", 1971; Knuth's TwoSum.

/** A number as the unevaluated sum `high + low`; `high` is the float64 nearest to it. */
export interface Pair {
  high: number;
  low: number;
}

const SPLITTER = 134_217_729; // 2^27 + 1 (Veltkamp)

/**
 * Returns `sum + value + valueLow`, renormalised. Sums beyond the float64 range stop at ±MAX_VALUE, for JSON has no
 * infinity.
 */
export function addTo(sum: Pair, value: number, valueLow = 0): Pair {
  const high = sum.high + value;
  if (!Number.isFinite(high)) return saturated(high);
  const virtual = high - sum.high;
  const error = sum.high - (high - virtual) + (value - virtual);
  const low = error + sum.low + valueLow;
  const total = high + low;
  return Number.isFinite(total) ? { high: total, low: low - (total - high) } : saturated(total);
}

/** Returns a × b, exactly, as a pair; products beyond the float64 range stop at ±MAX_VALUE. */
export function product(a: number, b: number): Pair {
  const high = a * b;
  if (!Number.isFinite(high)) return saturated(high);
  const [aHigh, aLow] = split(a);
  const [bHigh, bLow] = split(b);
  const low = aHigh * bHigh - high + aHigh * bLow + aLow * bHigh + aLow * bLow;
  return { high, low: Number.isFinite(low) ? low : 0 };
}

function split(value: number): [number, number] {
  const scaled = SPLITTER * value;
  const high = scaled - (scaled - value);
  return [high, value - high];
}

const saturated = (value: number): Pair => ({
  high: value < 0 ? -Number.MAX_VALUE : Number.MAX_VALUE,
  low: 0,
});
