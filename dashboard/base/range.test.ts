import { describe, expect, it } from "vitest";
import {
  addressOf,
  askedFor,
  chosenFor,
  moveEveryMs,
  paged,
  RANGES,
  rangeOf,
  rereadEveryMs,
  viewOf,
} from "./range.ts";

describe("ranges", () => {
  it("an unknown id is the shortest range", () => {
    expect(rangeOf("7d").spanMs).toBe(7 * 86_400_000);
    expect(rangeOf(null)).toBe(RANGES[0]);
    expect(rangeOf("century")).toBe(RANGES[0]);
  });

  it("the view ends now, or at a reading from a clock that runs ahead", () => {
    expect(viewOf(900, 10_000, null)).toEqual({ startMs: 9_100, endMs: 10_000 });
    expect(viewOf(900, 10_000, 9_000)).toEqual({ startMs: 9_100, endMs: 10_000 });
    expect(viewOf(900, 10_000, 10_500)).toEqual({ startMs: 9_600, endMs: 10_500 });
  });

  it("long ranges move and are read again less often", () => {
    expect(RANGES.map(({ spanMs }) => moveEveryMs(spanMs))).toEqual([
      1000, 3600, 21_600, 60_000, 60_000, 60_000, 60_000, 60_000,
    ]);
    expect(RANGES.map(({ spanMs }) => rereadEveryMs(spanMs) / 60_000)).toEqual([2, 2, 6, 15, 15, 15, 15, 15]);
  });
});

describe("what is shown", () => {
  const NOW = Date.UTC(2026, 10, 22, 12);
  const DAY_MS = 86_400_000;
  const nothing = { range: null, from: null, to: null };
  const week = { kind: "live", id: "7d", spanMs: 7 * DAY_MS } as const;

  it("is what the address asks for, and the address says it again", () => {
    const asked = [
      { ...nothing, range: "7d" },
      { ...nothing, range: "7d", to: NOW - DAY_MS },
      { ...nothing, from: 5, to: 9 },
    ];
    expect(askedFor(asked[0]!)).toEqual(week);
    expect(askedFor(asked[1]!)).toEqual({ kind: "past", startMs: NOW - 8 * DAY_MS, endMs: NOW - DAY_MS });
    expect(askedFor(asked[2]!)).toEqual({ kind: "past", startMs: 5, endMs: 9 });
    expect(asked.map((one) => addressOf(askedFor(one)!))).toEqual(asked);
    for (const one of [
      nothing,
      { ...nothing, range: "x" },
      { ...nothing, from: 9, to: 9 },
      { ...nothing, to: 9 },
    ])
      expect(askedFor(one)).toBeNull();
  });

  it("is by the device's pace where nothing is asked for, and where its readings are", () => {
    const idOf = (ageMs: number, everyMs: number | null) => {
      const shown = chosenFor(NOW - ageMs, everyMs, NOW);
      return shown.kind === "live" ? shown.id : [shown.endMs - NOW, (shown.endMs - shown.startMs) / DAY_MS];
    };
    expect(idOf(5_000, 10_000)).toBe("15m");
    expect(idOf(5_000, 3_600_000)).toBe("7d");
    expect(idOf(5_000, null)).toBe("15m");
    expect(idOf(DAY_MS, null)).toBe("7d");
    expect(idOf(3_000 * DAY_MS, null)).toEqual([1 - 3_000 * DAY_MS, 7]);
    expect(idOf(3_000 * DAY_MS, 3_600_000)).toEqual([1 - 3_000 * DAY_MS, 7]);
    expect(idOf(0, 1e12)).toBe("1y");
  });

  it("pages back from now, and forward until now", () => {
    const before = paged(week, -1, NOW);
    expect(before).toEqual({ kind: "past", startMs: NOW - 14 * DAY_MS, endMs: NOW - 7 * DAY_MS });
    expect(paged(before, 1, NOW)).toEqual(week);
    expect(paged(paged(before, -1, NOW), 1, NOW)).toEqual(before);
    expect(paged({ kind: "past", startMs: 0, endMs: NOW - 1 }, 1, NOW)).toMatchObject({ kind: "past" });
  });
});
