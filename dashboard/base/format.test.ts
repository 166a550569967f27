import { describe, expect, it } from "vitest";
import {
  dateField,
  decimalsOf,
  formatAge,
  formatBytes,
  formatCount,
  formatDated,
  formatInstant,
  formatLength,
  formatTick,
  formatValue,
} from "./format.ts";

describe("decimalsOf", () => {
  it.each([
    [[1, 2, 3], 0],
    [[21.5, 22], 1],
    [[21.53, 22.123456], 2],
    [[1013.256], 1],
    [[0.1234567], 3],
    [[0.0012], 4],
    [[Number.NaN, 0.5], 1],
    [[], 0],
  ])("%j → %i", (values, decimals) => {
    expect(decimalsOf(values)).toBe(decimals);
  });
});

describe("formatValue", () => {
  it.each([
    [0, "0"],
    [-0.001, "0", 0],
    [21.5, "21.50", 2],
    [-4.25, "−4.25"],
    [1013.256, "1013.3"],
    [12345, "12,345"],
    [1234567, "1,234,567"],
    [12_345_678, "12.35 M"],
    [4.5e9, "4.50 G"],
    [2e12, "2.00 T"],
    [1e20, "1.00e+20"],
    [3.21e-7, "3.21e-7"],
    [Number.POSITIVE_INFINITY, "—"],
  ])("%d → %s", (value: number, text: string, decimals?: number) => {
    expect(formatValue(value, decimals)).toBe(text);
  });
});

describe("formatAge", () => {
  it.each([
    [null, "never"],
    [-3000, "now"],
    [4_999, "now"],
    [5_000, "5 s ago"],
    [59_999, "59 s ago"],
    [60_000, "1 min ago"],
    [3_600_000, "1 h ago"],
    [47 * 3_600_000, "47 h ago"],
    [48 * 3_600_000, "2 d ago"],
    [729 * 86_400_000, "729 d ago"],
    [9.8 * 365 * 86_400_000, "9 y ago"],
  ])("%s ms → %s", (ageMs, text) => {
    expect(formatAge(ageMs)).toBe(text);
  });
});

describe("formatLength", () => {
  it.each([
    [120, "120 ms"],
    [1_040, "1 s"],
    [9_980, "10 s"],
    [58_000, "1 min"],
    [90_000, "1.5 min"],
    [3_599_000, "1 h"],
    [86_400_000, "1 d"],
  ])("%i ms → %s", (lengthMs, text) => {
    expect(formatLength(lengthMs)).toBe(text);
  });
});

describe("counts, bytes and instants", () => {
  it("read as people write them", () => {
    expect(formatCount(1204)).toBe("1204");
    expect(formatCount(120_400)).toBe("120,400");
    expect([999, 12_340, 5_600_000].map(formatBytes)).toEqual(["999 B", "12.3 KB", "5.6 MB"]);
    expect(formatInstant(new Date(2026, 10, 22, 4, 5, 9).getTime())).toBe("22 Nov 04:05:09");
    expect(formatDated(new Date(2026, 10, 22, 4, 5, 9).getTime())).toBe("22 Nov 2026 04:05");
    const [then, now] = [new Date(2017, 1, 28, 23).getTime(), new Date(2026, 10, 22).getTime()];
    expect(formatInstant(then, now)).toBe("28 Feb 2017 23:00:00");
    expect(formatInstant(now, now)).toBe("22 Nov 00:00:00");
    expect(dateField(then)).toBe("2017-02-28");
  });

  it.each([
    [new Date(2026, 10, 22, 14, 5, 30), 30_000, "14:05:30"],
    [new Date(2026, 10, 22, 14, 5), 60_000, "14:05"],
    [new Date(2026, 10, 22, 0, 0), 3_600_000, "22 Nov"],
    [new Date(2026, 10, 22, 1, 0), 86_400_000, "22 Nov"],
    [new Date(2015, 0, 1), 31 * 86_400_000, "Jan 2015"],
  ])("tick %s every %i ms → %s", (date, stepMs, text) => {
    expect(formatTick(date.getTime(), stepMs)).toBe(text);
  });
});
