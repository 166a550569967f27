import { describe, expect, it } from "vitest";
import { seasonal } from "./seasonal.ts";

const MONDAY = Date.parse("2026-03-02T00:00:00Z");
const STEP = 300_000;
const A_DAY = 288;
const wave = (i: number) => Math.sin(i * 12.9898) + Math.sin(i * 78.233);
const swing = (i: number) => 20 + 10 * Math.sin((2 * Math.PI * i) / A_DAY) + wave(i);

/** Days of readings every 5 minutes → the rows with an alarm. */
const alarms = (days: number, valueAt: (row: number) => number) => {
  const state = seasonal.create();
  return Array.from({ length: days * A_DAY }, (_, row) => row).filter(
    (row) => seasonal.score(state, MONDAY + row * STEP, valueAt(row)) >= seasonal.warning,
  );
};
const day = (row: number) => Math.floor(row / A_DAY);

describe("the seasonal detector", () => {
  it("[A40] finds what a daily swing would hide", () => {
    expect(alarms(20, swing).filter((row) => day(row) >= 7)).toEqual([]);
    // Noon's value at midnight, well inside what is usual in a day.
    const stuck = alarms(20, (row) => (day(row) === 15 ? swing(15 * A_DAY + 72) : swing(row)));
    const days = stuck.map(day).filter((at) => at >= 7);
    expect(days[0]).toBe(15);
    // And perhaps that it is over.
    expect(days.every((at) => at === 15 || at === 16)).toBe(true);
  });

  it("[A40] gets used to a spike that comes every day, not to one at another hour", () => {
    const daily = (row: number) => wave(row) + (row % A_DAY === 10 * 12 ? 80 : 0);
    const usual = alarms(20, daily);
    expect(usual.length).toBeLessThanOrEqual(4);
    const odd = 18 * A_DAY + 23 * 12;
    expect(alarms(20, (row) => daily(row) + (row === odd ? 80 : 0))).toEqual([...usual, odd]);
  });

  it("[A40] finds a quiet Sunday's value on a working day once it knows the week", () => {
    const office = (row: number) =>
      wave(row) + (day(row) % 7 < 5 && row % A_DAY >= 96 && row % A_DAY < 216 ? 40 : 0);
    const fromWeek5 = (rows: number[]) => rows.map(day).filter((at) => at >= 28);
    expect(fromWeek5(alarms(42, office))).toEqual([]);
    // A Wednesday on which nobody came.
    expect(fromWeek5(alarms(42, (row) => (day(row) === 30 ? wave(row) : office(row))))).toEqual([30]);
  });

  it("[A40] finds a shift of the level, which no single reading shows", () => {
    const shifted = (row: number) => 3 * wave(row) + (row >= 10 * A_DAY ? 8 : 0);
    const found = alarms(14, shifted).filter((row) => day(row) >= 5);
    expect(found[0]).toBeGreaterThanOrEqual(10 * A_DAY);
    expect(found[0]).toBeLessThan(10 * A_DAY + 24);
  });

  it("[A40] knows neither unit nor offset", () => {
    const rows = alarms(14, (row) => wave(row) + (row === 3000 ? 50 : 0));
    expect(rows).toContain(3000);
    for (const [unit, offset] of [
      [2 ** 40, 0],
      [2 ** -40, 0],
      [-1, 0],
      [1, 2 ** 20],
    ] as const) {
      expect(alarms(14, (row) => offset + unit * (wave(row) + (row === 3000 ? 50 : 0)))).toEqual(rows);
    }
  });

  it("[A40] finds the first change of a constant, and a counter's steady growth is none", () => {
    expect(alarms(6, (row) => (row < 1000 ? 7.3 : 7.4))[0]).toBe(1000);
    expect(alarms(14, (row) => 1e9 + 40 * row)).toEqual([]);
  });

  it("[A40] finds a way of moving that it never saw, in values it saw every day", () => {
    // Slow steps up and down, then the same values in disorder.
    const stairs = [0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2, 1];
    const place = (row: number) => (row >= 12 * A_DAY ? (row * 5) % 14 : row % 14);
    const found = alarms(14, (row) => 4 * stairs[place(row)]! + wave(row) / 4).filter((row) => day(row) >= 5);
    expect(found[0]).toBeGreaterThanOrEqual(12 * A_DAY);
    expect(found[0]).toBeLessThan(12 * A_DAY + 36);
  });

  it("[A40] finds unrest in which no reading is further out than usual ones", () => {
    const calm = (row: number) => (row % 2 === 0 ? 1 : -1) * (row % 23 === 0 ? 5 : 0.5 + wave(row) / 10);
    const uneasy = (row: number) =>
      row >= 12 * A_DAY && row % 3 !== 0 ? Math.sign(calm(row)) * 4 : calm(row);
    expect(alarms(14, calm).filter((row) => day(row) >= 5)).toEqual([]);
    const found = alarms(14, uneasy).filter((row) => day(row) >= 5);
    expect(found[0]).toBeGreaterThanOrEqual(12 * A_DAY);
    expect(found[0]).toBeLessThan(12 * A_DAY + 36);
  });

  it("[A42] each alarm makes the next of its kind harder, until that wears off", () => {
    // The same spike, each day an hour and more later: never a habit.
    const wandering = (row: number) => wave(row) + ((row + 24) % (A_DAY + 40) === 0 ? 30 : 0);
    const first = alarms(60, wandering);
    expect(first.length).toBeGreaterThan(0);
    expect(first.length).toBeLessThan(60 / 3);
  });

  it("[A69] fatigue wears off by time, also where readings are few", () => {
    // Six spikes in two weeks of an hourly metric, each at another hour, and one three months later.
    const early = [0, 1, 2, 3, 4, 5].map((k) => 24 * (15 + 2 * k) + 5 + 3 * k);
    const late = 24 * 115 + 3;
    const state = seasonal.create();
    const found = Array.from({ length: 24 * 130 }, (_, hour) => hour).filter((hour) => {
      const spike = early.includes(hour) ? 30 : hour === late ? 8 : 0;
      return seasonal.score(state, MONDAY + hour * 3_600_000, wave(hour) + spike) >= seasonal.warning;
    });
    expect(found.slice(0, 5)).toEqual(early.slice(0, 5));
    expect(found.at(-1)).toBe(late);
  });

  it("[A69] alarms while it still learns tire it less", () => {
    const restless = (row: number) => (row >= 155 && row < 168) || (row >= 310 && row < 322);
    const later = 9 * A_DAY;
    const found = alarms(
      12,
      (row) => wave(row) + (restless(row) ? 8 : row >= later && row < later + 12 ? 2 : 0),
    );
    expect(found.filter((row) => row < 400)).toHaveLength(2);
    const repeats = found.filter((row) => row >= later);
    expect(repeats).toHaveLength(1);
    expect(repeats[0]).toBeLessThan(later + 12);
  });

  it("[A69] a repeat is found when it is as loud as the first, at whatever hour it comes", () => {
    for (const height of [6, 10, 20, 40]) {
      const at = [8 * A_DAY + 60, 12 * A_DAY + 170, 16 * A_DAY + 240, 20 * A_DAY + 20];
      const found = alarms(
        22,
        (row) => wave(row) + (at.some((one) => row >= one && row < one + 12) ? height : 0),
      );
      expect(found.map((row) => at.findIndex((one) => row >= one && row < one + 12))).toEqual([0, 1, 2, 3]);
    }
  });

  it("[A66] a constant metric that moves by rounding alone is calm", () => {
    for (const [usual, value] of [
      [5, 5.000001],
      [-5, -5.000001],
      [21.3, Math.fround(21.3)],
      [0.3, 0.1 + 0.2],
      [1e9, 1e9 + 100],
    ] as const) {
      expect(
        alarms(6, (row) => (row < 1000 || row % 7 > 0 ? usual : value)),
        `${value}`,
      ).toEqual([]);
      expect(
        alarms(6, (row) => (row < 1000 ? usual : value)),
        `${value}`,
      ).toEqual([]);
    }
    expect(alarms(6, (row) => (row < 1000 ? 5 : 5.01))[0]).toBe(1000);
  });

  it("[A40] a state that an older version packed learns again", () => {
    const older = new Uint8Array(952);
    new Float64Array(older.buffer).fill(7.5);
    new Float64Array(older.buffer)[0] = 1;
    expect(seasonal.pack(seasonal.unpack(older))).toEqual(seasonal.pack(seasonal.create()));
  });

  it("says nothing in the first half day, however much comes", () => {
    const state = seasonal.create();
    for (let second = 0; second < 43_200; second++) {
      const value = second % 1000 === 999 ? 1e6 : wave(second);
      expect(seasonal.score(state, MONDAY + 1000 * second, value)).toBe(0);
    }
  });
});
