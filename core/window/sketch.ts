// Readings → how many lie in each bin of nearly equal ratio: quantiles within 1 %, and merging that only adds counts.
// After Masson, Rim, Lee, "DDSketch", VLDB 2019; the bins here lie the same in every octave, so that finding one takes
// the bits of the float and a table, and no logarithm whose last digit differs from engine to engine.

/**
 * How many readings lie in each bin: `bins` ascend, `counts` are parallel to them, each above 0. Bins without
 * readings are left out.
 */
export interface Sketch {
  readonly bins: readonly number[];
  readonly counts: readonly number[];
}

/** 2^(1/36): a reading is within 0.963 % of the middle of its bin; 0.970 % with bounds rounded to 12 bits. */
const BINS_PER_OCTAVE = 36;
/** A magnitude's bin is told by its exponent and this much of its mantissa. */
const MANTISSA_BITS = 12;
const CELLS = 2 ** MANTISSA_BITS;
/** Below this many times the smallest float64 each multiple is its own bin: a middle would be rounded by over 0.01 %. */
const SINGLES = CELLS;
/** The exponent of the smallest float64: magnitudes are counted in units of 2^-1074. */
const UNIT_EXPONENT = -1_074;
const OCTAVES = 1_024 - UNIT_EXPONENT - MANTISSA_BITS;
const BIN_MAX = SINGLES + OCTAVES * BINS_PER_OCTAVE - 1;

/** The bounds of an octave's bins, in cells; so coarse that no engine's power can round to another. */
const BOUNDS = Array.from({ length: BINS_PER_OCTAVE + 1 }, (_, i) =>
  Math.round(2 ** (i / BINS_PER_OCTAVE) * CELLS),
);
/** The bin in its octave of each cell of a mantissa. */
const BIN_OF_CELL = new Uint8Array(CELLS);
for (let bin = 0; bin < BINS_PER_OCTAVE; bin++) {
  BIN_OF_CELL.fill(bin, BOUNDS[bin]! - CELLS, BOUNDS[bin + 1]! - CELLS);
}

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);
const HIGH_WORD = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;
const NORMAL_MIN = 2 ** -1_022;

/** Returns the bin of a finite float64: 0 for 0 and −0, opposite for opposite readings, ascending with them. */
export function binOf(value: number): number {
  const magnitude = Math.abs(value);
  let exponent = -UNIT_EXPONENT;
  if (magnitude < NORMAL_MIN) {
    const units = magnitude / Number.MIN_VALUE;
    if (units < SINGLES) return value < 0 ? -units : units;
    float[0] = units;
    exponent = 0;
  } else {
    float[0] = magnitude;
  }
  const high = words[HIGH_WORD]!;
  exponent += (high >>> 20) - 1_023 - MANTISSA_BITS;
  const cell = (high >>> (20 - MANTISSA_BITS)) & (CELLS - 1);
  const bin = SINGLES + exponent * BINS_PER_OCTAVE + BIN_OF_CELL[cell]!;
  return value < 0 ? -bin : bin;
}

/** Returns the middle of a bin: the float64 that is nearest, relatively, to the farthest reading of the bin. */
export function middleOf(bin: number): number {
  const magnitude = Math.abs(bin);
  if (magnitude < SINGLES) return bin * Number.MIN_VALUE + 0;
  const place = (magnitude - SINGLES) % BINS_PER_OCTAVE;
  const exponent = (magnitude - SINGLES - place) / BINS_PER_OCTAVE + MANTISSA_BITS + UNIT_EXPONENT;
  const [from, to] = [BOUNDS[place]! / CELLS, BOUNDS[place + 1]! / CELLS];
  const middle = ((2 * from * to) / (from + to)) * 2 ** exponent;
  return bin < 0 ? -middle : middle;
}

/** Counts while a sketch is made; all zero before and after. */
const tally = new Uint32Array(2 * BIN_MAX + 1);

/** Returns the sketch of the values at indexes `[start, end)`, which are finite; of all of them when absent. */
export function sketchOf(values: readonly number[], start = 0, end = values.length): Sketch {
  const bins: number[] = [];
  for (let i = start; i < end; i++) {
    const bin = binOf(values[i]!);
    if (tally[bin + BIN_MAX]!++ === 0) bins.push(bin);
  }
  sort(bins);
  const counts = bins.map((bin) => {
    const count = tally[bin + BIN_MAX]!;
    tally[bin + BIN_MAX] = 0;
    return count;
  });
  return { bins, counts };
}

/** Many numbers sort three times as fast where they need no comparing function; few are quicker left in their array. */
function sort(bins: number[]): void {
  if (bins.length < 48) bins.sort((a, b) => a - b);
  else for (const [i, bin] of Int32Array.from(bins).sort().entries()) bins[i] = bin;
}

/** Returns the sketch of the readings of both sketches. */
export function mergeSketches(a: Sketch, b: Sketch): Sketch {
  const bins: number[] = [];
  const counts: number[] = [];
  for (let i = 0, j = 0; i < a.bins.length || j < b.bins.length; ) {
    const [ofA, ofB] = [a.bins[i] ?? Infinity, b.bins[j] ?? Infinity];
    bins.push(Math.min(ofA, ofB));
    counts.push((ofA <= ofB ? a.counts[i++]! : 0) + (ofB <= ofA ? b.counts[j++]! : 0));
  }
  return { bins, counts };
}

/**
 * Returns the reading of a rank, within 1 %; the least has rank 0, and ranks beyond the readings are the last. The
 * sketch has to have a reading.
 */
export function readingAt({ bins, counts }: Sketch, rank: number): number {
  let i = 0;
  for (let rest = rank - counts[0]!; rest >= 0 && i < bins.length - 1; rest -= counts[i]!) i++;
  return middleOf(bins[i]!);
}
