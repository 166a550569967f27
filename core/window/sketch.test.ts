import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { packSketch, unpackSketch } from "./pack-sketch.ts";
import { binOf, mergeSketches, middleOf, readingAt, sketchOf } from "./sketch.ts";

const MAX = Number.MAX_VALUE;
const MIN = Number.MIN_VALUE;
const edge = fc.constantFrom(0, -0, MIN, -MIN, 4_095 * MIN, 4_096 * MIN, 2 ** -1_022, 1, 1e154, MAX, -MAX);
const anyDouble = fc.double({ noNaN: true, noDefaultInfinity: true });
const ofManySizes = fc
  .tuple(fc.double({ noNaN: true, min: -10, max: 10 }), fc.integer({ min: -323, max: 307 }))
  .map(([mantissa, exponent]) => mantissa * 10 ** exponent);
const subnormal = fc.integer({ min: -1e9, max: 1e9 }).map((units) => units * MIN);
const small = fc.integer({ min: -500, max: 500 }).map((tenths) => tenths / 10);
const finite = fc.oneof(edge, anyDouble, ofManySizes, subnormal, small);
/** Mixed columns, and columns of one kind. */
const column = fc.oneof(
  ...[finite, anyDouble, ofManySizes, subnormal, small].map((kind) =>
    fc.array(kind, { minLength: 1, maxLength: 300, size: "max" }),
  ),
);

/** How far the answer lies from the reading, in parts of the reading. */
const errorOf = (answer: number, reading: number) =>
  answer === reading ? 0 : Math.abs(answer - reading) / Math.abs(reading);

describe("bins", () => {
  it("[W7] a bin's middle is within 1 % of its least and greatest reading, and bins ascend without a gap", () => {
    /** The octaves of subnormals and some above, some in the middle and the last: the others differ by a power of two. */
    const octaves = [
      [-1_062, -960],
      [-5, 5],
      [1_020, 1_023],
    ] as const;
    let worst = 0;
    const steps = new Set<number>();
    for (const [least, greatest] of octaves) {
      let before = binOf(2 ** least - Math.max(MIN, 2 ** (least - 53)));
      for (let exponent = least; exponent <= greatest; exponent++) {
        const cellWidth = 2 ** exponent / 4_096;
        const lastInCell = cellWidth - Math.max(MIN, 2 ** (exponent - 52));
        for (let cell = 0; cell < 4_096; cell++) {
          const from = 2 ** exponent + cell * cellWidth;
          const to = from + lastInCell;
          const bin = binOf(from);
          if (binOf(to) !== bin) throw new Error(`${from} and ${to} are in two bins`);
          worst = Math.max(worst, errorOf(middleOf(bin), from), errorOf(middleOf(bin), to));
          steps.add(bin - before);
          before = bin;
        }
      }
    }
    expect(worst).toBeLessThan(0.0099);
    expect(worst).toBeGreaterThan(0.0096); // of 36 bins an octave none can be better
    expect(steps).toEqual(new Set([0, 1]));
    expect(Number.isFinite(middleOf(binOf(MAX)))).toBe(true);
  });

  it("[W7] the least float64s have a bin each", () => {
    for (let units = 0; units < 4_096; units++) expect(middleOf(binOf(units * MIN))).toBe(units * MIN);
  });

  it("[W7] opposite readings have opposite bins and middles, and −0 is 0", () => {
    expect([binOf(0), binOf(-0), middleOf(0)]).toEqual([0, 0, 0]);
    fc.assert(
      fc.property(finite, (value) => {
        expect(binOf(-value) + binOf(value)).toBe(0);
        expect(middleOf(binOf(-value)) + middleOf(binOf(value))).toBe(0);
      }),
    );
  });

  it("[W8] the bounds are 2^(i/36) rounded to 12 bits, by integers alone: no engine has other ones", () => {
    for (let i = 0n; i < 36n; i++) {
      const first = binOf(1) + Number(i);
      let cell = 4_096n;
      while (binOf(Number(cell) / 4_096) < first) cell++;
      // (cell − ½) / 4096 < 2^(i/36) < (cell + ½) / 4096, each to the 36th power.
      const power = (1n << i) * 8_192n ** 36n;
      expect((2n * cell - 1n) ** 36n < power && power < (2n * cell + 1n) ** 36n).toBe(true);
    }
    expect(binOf(2) - binOf(1)).toBe(36);
  });
});

describe("quantiles", () => {
  it("[W7] the reading of any rank is found within 1 %, whatever the readings are", () => {
    fc.assert(
      fc.property(column, (values) => {
        const sketch = sketchOf(values);
        const sorted = Float64Array.from(values).sort();
        let worst = 0;
        for (const [rank, reading] of sorted.entries()) {
          worst = Math.max(worst, errorOf(readingAt(sketch, rank), reading));
        }
        expect(worst).toBeLessThanOrEqual(0.01);
      }),
      { numRuns: 500 },
    );
  });
});

describe("merging sketches", () => {
  it("[W8] a sketch merged from any cut of the readings, in any order, is the sketch of them all", () => {
    fc.assert(
      fc.property(column, column, column, (a, b, c) => {
        const [x, y, z] = [sketchOf(a), sketchOf(b), sketchOf(c)];
        const whole = sketchOf([...c, ...a, ...b]);
        expect(mergeSketches(mergeSketches(x, y), z)).toEqual(whole);
        expect(mergeSketches(z, mergeSketches(y, x))).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });

  it("[W8] a sketch counts each reading once, and only those asked for", () => {
    expect(sketchOf([9, 1, 2, 1, 9], 1, 4)).toEqual({ bins: [binOf(1), binOf(2)], counts: [2, 1] });
  });
});

describe("packed sketches", () => {
  it("[W5] unpack to themselves", () => {
    const packed = (values: number[]) => unpackSketch(packSketch(sketchOf(values)));
    fc.assert(
      fc.property(column, (values) => {
        expect(packed(values)).toEqual(sketchOf(values));
      }),
      { numRuns: 500 },
    );
  });

  it("[W5] counts of a year at 1,000 readings a second are kept", () => {
    const year = { bins: [-5, -4, 80_000], counts: [31_536_000_000, 1, 2 ** 52] };
    expect(unpackSketch(packSketch(year))).toEqual(year);
  });

  it("[W5] the text stands: sketches of today are read by every later version", () => {
    const sketch = sketchOf([-21.5, 0, 20.5, 20.5, 20.6, 21, 21]);
    expect(sketch).toEqual({ bins: [-42_487, 0, 42_484, 42_485, 42_486], counts: [1, 1, 2, 1, 2] });
    expect(packSketch(sketch)).toBe("t_yCB1vpBByvpBCAC");
  });

  it("[W5] an hour of a steady sensor takes at most 40 characters", () => {
    const hourOf = (level: number, swing: number) =>
      Array.from({ length: 360 }, (_, i) => Math.round(100 * (level + swing * Math.sin(i / 57))) / 100);
    for (const hour of [hourOf(21, 1.5), hourOf(-8, 0.6), hourOf(1_013, 3), hourOf(48, 5), hourOf(230, 4)])
      expect(packSketch(sketchOf(hour)).length).toBeLessThanOrEqual(40);
  });
});
