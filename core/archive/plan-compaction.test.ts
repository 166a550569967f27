import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HOURLY, RAW } from "./layout.ts";
import { type CompactableFile, MERGED_BYTES_MAX, planCompaction } from "./plan-compaction.ts";

const MIB = 1024 * 1024;

/** Files of 1 row to some 100 million, of 0.4 to 8 bytes a row, in any order. */
const files: fc.Arbitrary<CompactableFile[]> = fc
  .array(
    fc.record({
      rows: fc.double({ min: 0, max: 8, noNaN: true }).map((power) => Math.ceil(10 ** power)),
      rowBytes: fc.double({ min: 0.4, max: 8, noNaN: true }),
      fromMs: fc.nat(86_400_000),
    }),
    { maxLength: 80 },
  )
  .map((all) =>
    all.map(({ rows, rowBytes, fromMs }, i) => {
      return { key: String(i), fromMs, rows, bytes: Math.ceil(rows * rowBytes) + 700 };
    }),
  );

const file = (key: string, rows: number, fromMs = 0, bytes = 2 * rows): CompactableFile => {
  return { key, fromMs, rows, bytes };
};
const keys = (planned: readonly CompactableFile[]) => planned.map(({ key }) => key).sort();
const sum = (of: readonly CompactableFile[], field: "rows" | "bytes") =>
  of.reduce((total, one) => total + one[field], 0);

/** What a merge makes of files, none of whose rows are replaced. */
const merged = (of: readonly CompactableFile[]) =>
  file(of.map(({ key }) => key).join("+"), sum(of, "rows"), of[0]!.fromMs, sum(of, "bytes"));

describe("what is merged next", () => {
  it("[S13] is two files or more, no more than 64 MiB together, none far larger than all the others", () => {
    fc.assert(
      fc.property(files, fc.boolean(), fc.constantFrom(RAW, HOURLY), (all, isSettled, layout) => {
        const planned = planCompaction(layout, all, isSettled);
        if (planned.length === 0) return;
        expect(planned.length).toBeGreaterThanOrEqual(2);
        expect(sum(planned, "bytes")).toBeLessThanOrEqual(MERGED_BYTES_MAX);
        const largest = Math.max(...planned.map(({ rows }) => rows));
        expect(largest).toBeLessThanOrEqual(2 * (sum(planned, "rows") - largest));
        expect(new Set(planned).size).toBe(planned.length);
        for (const one of planned) expect(all).toContain(one);
      }),
      { numRuns: 500 },
    );
  });

  it("[S13] comes to an end: each row is written again a few times, and few files are left that are not full", () => {
    fc.assert(
      fc.property(files, fc.boolean(), (all, isSettled) => {
        const rewritten = new Map<string, number>();
        let live = all;
        for (;;) {
          const planned = planCompaction(RAW, live, isSettled);
          if (planned.length === 0) break;
          for (const { key } of planned)
            for (const part of key.split("+")) rewritten.set(part, (rewritten.get(part) ?? 0) + 1);
          live = [...live.filter((one) => !planned.includes(one)), merged(planned)];
        }
        const rows = Math.max(2, sum(all, "rows"));
        for (const times of rewritten.values())
          expect(times).toBeLessThanOrEqual(Math.log(rows) / Math.log(1.5));
        const small = live.filter(({ bytes }) => bytes < MERGED_BYTES_MAX / 2);
        if (isSettled) expect(small.length).toBeLessThanOrEqual(2 + Math.log(rows) / Math.log(3));
      }),
      { numRuns: 300 },
    );
  });

  it("[S13] a day's equal files that come one by one: each row is written again four times or so, few files are left", () => {
    const times = new Map<string, number>();
    let live: CompactableFile[] = [];
    const mergeWhilePlanned = (isSettled: boolean) => {
      for (;;) {
        const planned = planCompaction(RAW, live, isSettled);
        if (planned.length === 0) return;
        for (const { key } of planned)
          for (const part of key.split("+")) times.set(part, (times.get(part) ?? 0) + 1);
        live = [...live.filter((one) => !planned.includes(one)), merged(planned)];
      }
    };
    for (let i = 0; i < 300; i++) {
      live = [...live, file(String(i), 36_000, i)];
      mergeWhilePlanned(false);
      expect(live.length).toBeLessThanOrEqual(3 * 8);
    }
    mergeWhilePlanned(true);
    expect(live.length).toBeLessThanOrEqual(3);
    expect(Math.max(...times.values())).toBeLessThanOrEqual(5);
    expect([...times.values()].reduce((a, b) => a + b) / 300).toBeLessThanOrEqual(4);
  });

  it("[S13] waits for eight files while more are to be expected, and for two when not", () => {
    const all = Array.from({ length: 7 }, (_, i) => file(String(i), 1_000));
    expect(planCompaction(RAW, all, false)).toEqual([]);
    expect(planCompaction(RAW, [...all, file("7", 1_000)], false)).toHaveLength(8);
    expect(planCompaction(RAW, all.slice(0, 2), true)).toHaveLength(2);
    expect(planCompaction(RAW, all.slice(0, 1), true)).toEqual([]);
  });

  it("[S13] leaves a large file alone when little comes after it", () => {
    const large = file("large", 1_000_000);
    expect(planCompaction(RAW, [large, file("late", 10)], true)).toEqual([]);
    expect(keys(planCompaction(RAW, [large, file("late", 10), file("later", 10)], true))).toEqual([
      "late",
      "later",
    ]);
  });

  it("[S13] leaves full files alone, and takes of many the earliest", () => {
    const full = file("full", 40e6, 0, 33 * MIB);
    expect(planCompaction(RAW, [full, full], true)).toEqual([]);
    const many = Array.from({ length: 200 }, (_, i) => file(String(i), 10, 200 - i));
    expect(planCompaction(RAW, many, false).every(({ fromMs }) => fromMs <= 64)).toBe(true);
  });

  it("[S13] holds no more decoded than a Worker can: of files with long row groups it takes fewer", () => {
    const many = Array.from({ length: 60 }, (_, i) => file(String(i), 1_000_000, i, 600_000));
    const planned = planCompaction(RAW, many, false);
    expect(planned).toHaveLength(3);
  });
});
