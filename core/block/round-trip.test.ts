import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Block, Column } from "./block.ts";
import { decodeBlock, readBlockHeader } from "./decode.ts";
import { encodeBlock } from "./encode.ts";

function blockOf(...columns: Column[]): Block {
  return { startMs: 0, endMs: 2 ** 50, columns };
}

function columnOf(value: number[], metric = "m", stepMs = 10_000): Column {
  return { metric, at: value.map((_, i) => i * stepMs), value };
}

/** `toEqual` tells −0 from 0. */
function expectRoundTrip(block: Block): Uint8Array {
  const bytes = encodeBlock(block);
  expect(decodeBlock(bytes)).toEqual(block);
  return bytes;
}

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const decimal = (digits: number, limit: number) =>
  fc.integer({ min: -limit, max: limit }).map((mantissa) => mantissa / 10 ** digits);
const float32 = fc.float({ noNaN: true, noDefaultInfinity: true });
const float32Decimal = decimal(2, 100_000).map(Math.fround);

const BOUNDARIES: number[] = [
  0,
  -0,
  5e-324,
  -5e-324,
  2.2250738585072014e-308,
  1.7976931348623157e308,
  -1.7976931348623157e308,
  0.1 + 0.2,
  1 / 3,
  45.211999999999996,
  45.19500732421875,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 49 - 1,
  2 ** 49,
  -(2 ** 49),
  2 ** 53 - 1,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 53) - 2,
  1e22,
  1e23,
  1e-7,
  123456789012.345,
  Number.EPSILON,
];

describe("values", () => {
  it.each(BOUNDARIES)("[B1] %d alone comes back as the same float64", (value) => {
    expectRoundTrip(blockOf(columnOf([value])));
  });

  it.each(BOUNDARIES)("[B1] %d among decimals comes back as the same float64", (value) => {
    const values = Array.from({ length: 100 }, (_, i) => (i * 7) / 100);
    values[0] = value;
    values[50] = value;
    values[99] = value;
    expectRoundTrip(blockOf(columnOf(values)));
  });

  it("[B1] all boundary values in one column come back", () => {
    expectRoundTrip(blockOf(columnOf(BOUNDARIES), columnOf([...BOUNDARIES].reverse(), "n")));
  });

  it.each([
    ["any float64", finite],
    ["any float32", float32],
    ["float32-born decimals", float32Decimal],
    ["integers", fc.integer()],
    ["small decimals", decimal(2, 3000)],
    ["decimals times 0.1", fc.integer({ min: -5000, max: 5000 }).map((n) => n * 0.1)],
    ["sums of decimals", fc.tuple(decimal(3, 90_000), decimal(2, 900)).map(([a, b]) => a + b)],
    ["long decimals", decimal(12, 2 ** 48)],
    ["safe integers", fc.maxSafeInteger()],
    [
      "decimals and anything",
      fc.oneof({ weight: 9, arbitrary: decimal(1, 500) }, { weight: 1, arbitrary: finite }),
    ],
    ["few distinct values", fc.constantFrom(0, -0, 1, 0.1, 1e300)],
    [
      "integers of every width",
      fc.tuple(fc.integer(), fc.integer({ min: 0, max: 31 })).map(([n, s]) => n >> s),
    ],
  ])("[B1] columns of %s round-trip", (_, value) => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 150 }), (values) => {
        expectRoundTrip(blockOf(columnOf(values)));
      }),
      { numRuns: 300 },
    );
  });

  it("[B13] decimals with float noise cost bits, not exceptions", () => {
    const exact = Array.from({ length: 360 }, (_, i) => (200 + ((i * 7) % 50)) / 10);
    const noisy = Array.from({ length: 360 }, (_, i) => (200 + ((i * 7) % 50)) * 0.1);
    const exactBytes = expectRoundTrip(blockOf(columnOf(exact))).length;
    const noisyBytes = expectRoundTrip(blockOf(columnOf(noisy))).length;
    expect(noisyBytes - exactBytes).toBeLessThan(360 / 4);
  });

  it("[B13] a two-decimal walk of an hour takes at most 1 byte a value, float32-born or not", () => {
    let level = 2000;
    const values = Array.from({ length: 360 }, (_, i) => {
      level += ((i * 7919) % 21) - 10;
      return level / 100;
    });
    expect(expectRoundTrip(blockOf(columnOf(values))).length).toBeLessThan(360);
    expect(expectRoundTrip(blockOf(columnOf(values.map(Math.fround)))).length).toBeLessThan(360);
  });

  it("[B13] full-precision doubles take at most their 8 bytes and 5 %", () => {
    const values = Array.from({ length: 1000 }, (_, i) => Math.sin(i * i) * 10 ** ((i * 7) % 300));
    expect(expectRoundTrip(blockOf(columnOf(values))).length).toBeLessThan(1000 * 8.4);
  });

  it("[B1] a residual of every bit length among small ones comes back", () => {
    for (let bits = 0; bits < 49; bits++) {
      const values = Array.from({ length: 70 }, (_, i) => i % 3);
      values[40] = 2 ** bits;
      values[45] = 2 ** bits + 2 ** Math.max(0, bits - 1);
      expectRoundTrip(blockOf(columnOf(values)));
    }
  });

  it.each([31, 32, 33, 64, 65, 1023, 1025, 60_000])("[B1] a column of %d values round-trips", (count) => {
    const values = Array.from({ length: count }, (_, i) => Math.round(Math.sin(i / 9) * 1000) / 100);
    expectRoundTrip(
      blockOf(columnOf(values), columnOf(values.map(Math.fround), "f"), columnOf(values.map(Math.sin), "s")),
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("[B2] %d is refused", (value) => {
    for (const others of [[], [1.5, 2.5, 3.5], BOUNDARIES]) {
      expect(() => encodeBlock(blockOf(columnOf([...others, value, ...others])))).toThrow(
        expect.objectContaining({ name: "BlockError", code: "not_finite" }),
      );
    }
  });
});

describe("timelines", () => {
  it("[B3] irregular instants round-trip, shared or not", () => {
    const timeline = fc
      .array(
        fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 2 ** 40 }), fc.constant(10_000)),
        {
          minLength: 1,
          maxLength: 100,
        },
      )
      .map((steps) => {
        let at = 0;
        return steps.map((step) => {
          at += step;
          return at;
        });
      });
    fc.assert(
      fc.property(
        fc.array(timeline, { maxLength: 5 }),
        fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
        (ats, startMs) => {
          const columns = ats.flatMap((offsets, i) => {
            const at = offsets.map((offset) => startMs + offset);
            const value = at.map((_, n) => n / 10);
            return [
              { metric: `a${i}`, at, value },
              { metric: `b${i}`, at: [...at], value },
            ];
          });
          expectRoundTrip({ startMs, endMs: startMs + 2 ** 48, columns });
        },
      ),
    );
  });

  it("[B3] instants up to 2^53 − 1 and spans of 2^53 ms round-trip", () => {
    const at = [0, 1, 2 ** 49, 2 ** 52 + 1, 2 ** 53 - 1];
    expectRoundTrip({ startMs: 0, endMs: 2 ** 53, columns: [{ metric: "m", at, value: [1, 2, 3, 4, 5] }] });
  });

  it("[B4] metrics of one report share a timeline: a further regular column of one value costs its name and 6 bytes", () => {
    const first = columnOf(new Array<number>(360).fill(20.5), "first");
    const one = encodeBlock(blockOf(first));
    const two = encodeBlock(blockOf(first, { ...first, metric: "other" }));
    expect(two.length - one.length).toBeLessThanOrEqual("other".length + 6);
    expect(one.length).toBeLessThan(50);
  });

  it("[B4] decoded columns own their arrays", () => {
    const decoded = decodeBlock(encodeBlock(blockOf(columnOf([1, 2], "a"), columnOf([1, 2], "b"))));
    decoded.columns[0]!.at.push(7);
    decoded.columns[0]!.value[0] = 9;
    expect(decoded.columns[1]).toEqual(columnOf([1, 2], "b"));
  });

  it.each([
    ["not_ascending", [5, 5]],
    ["not_ascending", [6, 5]],
    ["out_of_span", [-1]],
    ["out_of_span", [100]],
    ["out_of_span", [1.5]],
    ["out_of_span", [Number.NaN]],
  ])("[B5] instants are refused with %s: %j in [0, 100)", (code, at) => {
    const columns = [{ metric: "m", at, value: at.map(() => 1) }];
    expect(() => encodeBlock({ startMs: 0, endMs: 100, columns })).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    [10, 9],
    [0.5, 9],
    [0, Number.POSITIVE_INFINITY],
    [-(2 ** 53), 2 ** 53],
  ])("[B5] [%d, %d) is refused as a span", (startMs, endMs) => {
    expect(() => encodeBlock({ startMs, endMs, columns: [] })).toThrow(
      expect.objectContaining({ code: "out_of_span" }),
    );
  });
});

describe("shape", () => {
  it("[B6] a block without columns round-trips, and columns without readings are left out", () => {
    expectRoundTrip({ startMs: 5, endMs: 5, columns: [] });
    const bytes = encodeBlock(blockOf({ metric: "none", at: [], value: [] }, columnOf([1])));
    expect(decodeBlock(bytes)).toEqual(blockOf(columnOf([1])));
  });

  it("[B6] metric names keep any text and the columns their order", () => {
    const names = [
      "",
      "temperature",
      "°C",
      "温度",
      "a\u0000b",
      "\ufeffbom",
      "x".repeat(127),
      "y".repeat(128),
      "é".repeat(200),
    ];
    expectRoundTrip(blockOf(...names.map((name) => columnOf([1, 2], name))));
  });

  it.each([
    ["arrays of unequal length", blockOf({ metric: "m", at: [1, 2], value: [1] })],
    ["a metric twice", blockOf(columnOf([1]), columnOf([2]))],
    ["a name that is no text", blockOf(columnOf([1], "\ud800"))],
    ["a name over 4096 bytes", blockOf(columnOf([1], "x".repeat(4097)))],
    ["over a million readings", blockOf(columnOf(new Array<number>(1_000_001).fill(0)))],
  ])("[B7] %s is refused as corrupt", (_, block) => {
    expect(() => encodeBlock(block)).toThrow(expect.objectContaining({ code: "corrupt" }));
  });

  it("[B8] the header tells span and reading count without decoding", () => {
    const bytes = encodeBlock({
      startMs: -7,
      endMs: 2 ** 45,
      columns: [columnOf([1, 2, 3], "a"), columnOf([1], "b")],
    });
    expect(readBlockHeader(bytes)).toEqual({ startMs: -7, endMs: 2 ** 45, readingCount: 4 });
  });

  it("[B8] a block inside a larger buffer decodes", () => {
    const block = blockOf(columnOf([1.5, 2.5]));
    const bytes = encodeBlock(block);
    const larger = new Uint8Array(bytes.length + 20).fill(255);
    larger.set(bytes, 9);
    expect(decodeBlock(larger.subarray(9, 9 + bytes.length))).toEqual(block);
  });
});
