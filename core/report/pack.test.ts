import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PackedReports } from "../../schemas/message.ts";
import { forEachReport, ReportPacker } from "./pack.ts";

interface Report {
  id: number;
  at: number;
  receivedAt: number;
  readings: [name: string, value: number][];
}

const report: fc.Arbitrary<Report> = fc.record({
  id: fc.maxSafeNat(),
  at: fc.maxSafeNat(),
  receivedAt: fc.maxSafeNat(),
  readings: fc.uniqueArray(
    fc.tuple(
      fc.oneof(fc.constantFrom("a", "b", "c", "1", "1,2", "__proto__"), fc.string()),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    ),
    { selector: ([name]) => name, minLength: 1, maxLength: 40 },
  ),
});

function add(packer: ReportPacker, reports: readonly Report[]): ReportPacker {
  for (const { id, at, receivedAt, readings } of reports) {
    packer.add(
      id,
      at,
      receivedAt,
      readings.map(([name]) => name),
      readings.map(([, value]) => value),
    );
  }
  return packer;
}

function unpack(packed: PackedReports): Report[] {
  const reports: Report[] = [];
  forEachReport(packed, (id, at, receivedAt, shape, valuesAt) => {
    const readings = shape.map((name, i): [string, number] => [
      packed.names[name]!,
      packed.rows[valuesAt + i]!,
    ]);
    reports.push({ id, at, receivedAt, readings });
  });
  return reports;
}

const readingCountOf = (reports: readonly Report[]) =>
  reports.reduce((sum, { readings }) => sum + readings.length, 0);

describe("packed reports", () => {
  it("[I8] unpack to what was added, in order, and their readings are counted", () => {
    fc.assert(
      fc.property(fc.array(report), (reports) => {
        const packer = add(new ReportPacker(), reports);
        expect(unpack(packer.finish())).toEqual(reports);
        expect(packer.readingCount).toBe(readingCountOf(reports));
        expect(packer.byteLength).toBe(packer.finish().rows.byteLength);
      }),
    );
  });

  it("[D7] a hibernation between two reports changes nothing: packing goes on with what was packed", () => {
    fc.assert(
      fc.property(fc.array(report), fc.array(report), (before, after) => {
        const held = structuredClone(add(new ReportPacker(), before).finish());
        const resumed = add(new ReportPacker(held), after);
        const whole = add(new ReportPacker(), [...before, ...after]);
        expect(resumed.finish()).toEqual(whole.finish());
        expect(resumed.readingCount).toBe(whole.readingCount);
        expect(resumed.byteLength).toBe(whole.byteLength);
      }),
    );
  });

  it("[D7] what was finished stands when more is added", () => {
    fc.assert(
      fc.property(fc.array(report), fc.array(report), (before, after) => {
        const packer = add(new ReportPacker(), before);
        const first = packer.finish();
        add(packer, after);
        expect(unpack(first)).toEqual(before);
      }),
    );
  });

  it("[D7] a name and a shape are held once, however often they come", () => {
    const packer = new ReportPacker();
    for (let i = 0; i < 100; i++) packer.add(i, i, i, i % 2 === 0 ? ["a", "b"] : ["b", "a"], [1, 2]);
    expect(packer.finish()).toMatchObject({
      names: ["a", "b"],
      shapes: [
        [0, 1],
        [1, 0],
      ],
    });
    expect(packer.byteLength).toBe(100 * (4 + 2) * 8);
  });

  it("[I8] shapes whose names have indexes of the same digits are told apart", () => {
    const names = Array.from({ length: 13 }, (_, i) => `m${i}`);
    const packer = new ReportPacker();
    packer.add(
      0,
      0,
      0,
      names,
      names.map((_, i) => i),
    );
    packer.add(1, 0, 0, ["m1", "m12"], [1, 12]);
    packer.add(2, 0, 0, ["m11", "m2"], [11, 2]);
    expect(packer.finish().shapes.slice(1)).toEqual([
      [1, 12],
      [11, 2],
    ]);
  });
});
