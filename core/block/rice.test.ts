import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { MINI_BLOCK_PACKED, MINI_BLOCK_ZERO } from "./format.ts";
import { decodeRice, encodeRice } from "./rice.ts";

function roundTrip(values: number[]): Uint8Array {
  const writer = new ByteWriter();
  encodeRice(writer, Int32Array.from(values), values.length);
  const endIndex = writer.length;
  writer.uint32(0);
  const bytes = writer.finish();
  const reader = new ByteReader(bytes, endIndex);
  const decoded = new Int32Array(values.length);
  decodeRice(reader, decoded, values.length);
  expect([...decoded]).toEqual(values);
  expect(reader.index).toBe(endIndex);
  return bytes.subarray(0, endIndex);
}

describe("Rice mini-blocks", () => {
  it("[B11] residuals below 2^31 of any mix of sizes round-trip", () => {
    const residual = fc.tuple(fc.integer({ min: 0, max: 2 ** 31 - 1 }), fc.integer({ min: 0, max: 30 }));
    fc.assert(
      fc.property(
        fc.array(
          residual.map(([n, shift]) => n >> shift),
          { maxLength: 200 },
        ),
        (values) => void roundTrip(values),
      ),
      { numRuns: 1000 },
    );
  });

  it("[B11] an escape of every length is told from a quotient at parameter 0", () => {
    for (let bits = 5; bits <= 31; bits++) {
      const values = new Array<number>(32).fill(0);
      values[7] = 2 ** (bits - 1);
      values[8] = 2 ** bits - 1;
      roundTrip(values);
    }
  });

  it("[B11] 32 zero residuals take 5 bits", () => {
    const bytes = roundTrip(new Array<number>(32 * 8).fill(0));
    expect(bytes.length).toBe(5);
    expect(bytes[0]! >> 3).toBe(MINI_BLOCK_ZERO);
  });

  it("[B11] residuals spread evenly below a power of two take plain fields", () => {
    const bytes = roundTrip(Array.from({ length: 32 }, (_, i) => 1023 - i * 3));
    expect(bytes[0]! >> 3).toBe(MINI_BLOCK_PACKED);
    expect(bytes.length).toBe(Math.ceil((11 + 32 * 10) / 8));
  });
});
