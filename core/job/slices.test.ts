import fc from "fast-check";
import { expect, it } from "vitest";
import { nextDevices, type Stretch, stretchEnd } from "./slices.ts";

const at = (device: string, fromMs = 0) => ({ device, fromMs });

it("[S18] a slice takes devices by name as long as they fit, and one that does not fit alone", () => {
  const rows = new Map([
    ["c", 500],
    ["a", 40],
    ["b", 60],
    ["d", 1],
  ]);
  const limits = { rows: 100, devices: 10 };
  expect(nextDevices(rows, at(""), limits)).toEqual(["a", "b"]);
  expect(nextDevices(rows, at("c"), limits)).toEqual(["c"]);
  expect(nextDevices(rows, at("d"), limits)).toEqual(["d"]);
  expect(nextDevices(rows, at("d0"), limits)).toBeUndefined();
  expect(nextDevices(rows, at(""), { rows: 1_000, devices: 3 })).toEqual(["a", "b", "c"]);
});

it("[S18] a large device is taken in stretches of about as many rows as fit", () => {
  const day: Stretch[] = [
    { rows: 1_000, minMs: 0, maxMs: 999 },
    { rows: 3_000, minMs: 1_000, maxMs: 1_999 },
  ];
  expect(stretchEnd(day, 0, 2_000, 10_000)).toBe(2_000);
  expect(stretchEnd(day, 0, 2_000, 500)).toBe(500);
  expect(stretchEnd(day, 0, 2_000, 2_500)).toBe(1_500);
  expect(stretchEnd(day, 1_500, 2_000, 300)).toBe(1_600);
});

it("[S18] a stretch always goes further, never beyond the end, and together they cover the day", () => {
  const stretch = fc
    .tuple(fc.nat(10_000), fc.nat(999), fc.nat(999))
    .map(([rows, a, b]) => ({ rows: rows + 1, minMs: Math.min(a, b), maxMs: Math.max(a, b) }));
  fc.assert(
    fc.property(fc.array(stretch), fc.integer({ min: 1, max: 5_000 }), (stretches, rows) => {
      let fromMs = 0;
      while (fromMs < 1_000) {
        const toMs = stretchEnd(stretches, fromMs, 1_000, rows);
        expect(toMs > fromMs && toMs <= 1_000).toBe(true);
        fromMs = toMs;
      }
    }),
  );
});
