// Exact arithmetic for tests: finite float64s as integers of 2^-1074, which every one of them is a multiple of.

const SCALE_BITS = 1_074n;
const view = new DataView(new ArrayBuffer(8));

/** Returns value × 2^1074, exactly. */
export function toExact(value: number): bigint {
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & 0xfffffffffffffn;
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return bits >> 63n === 0n ? magnitude : -magnitude;
}

/** Returns the float64 nearest numerator / denominator × 2^-1074, ties to even; infinite beyond the range. */
export function fromExact(numerator: bigint, denominator = 1n): number {
  if (numerator === 0n) return 0;
  if (numerator < 0n) return -fromExact(-numerator, denominator);
  const bitLength = (n: bigint) => n.toString(2).length;
  // Below 2^53 units a float64 holds every one of them; above, 53 bits.
  const drop = BigInt(Math.max(0, bitLength(numerator) - bitLength(denominator) - 53));
  let divisor = denominator << drop;
  let shift = drop;
  if (numerator / divisor >= 1n << 53n) {
    divisor <<= 1n;
    shift += 1n;
  }
  let quotient = numerator / divisor;
  const rest = 2n * (numerator % divisor);
  if (rest > divisor || (rest === divisor && quotient % 2n === 1n)) quotient += 1n;
  const exponent = Number(shift - SCALE_BITS);
  // In two steps, for 2^-1074 alone times a large quotient is exact but 2^exponent may not be a float64.
  return exponent < -1_000
    ? Number(quotient) * 2 ** -1_000 * 2 ** (exponent + 1_000)
    : Number(quotient) * 2 ** exponent;
}

/** Returns the exact sum, rounded once. */
export const exactSum = (values: readonly number[]): number =>
  fromExact(values.reduce((sum, value) => sum + toExact(value), 0n));

/** Returns the population standard deviation from exact sums, as a float64. */
export function exactStddev(values: readonly number[]): number {
  const count = BigInt(values.length);
  const units = values.map(toExact);
  const sum = units.reduce((a, b) => a + b, 0n);
  const squares = units.reduce((a, b) => a + b * b, 0n);
  // √(n Σx² − (Σx)²) / n, the root taken of the integer with 64 more bits.
  const root = sqrt((count * squares - sum * sum) << 128n);
  return fromExact(root, count << 64n);
}

function sqrt(n: bigint): bigint {
  if (n < 2n) return n;
  let root = 1n << BigInt(Math.ceil(n.toString(2).length / 2));
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
