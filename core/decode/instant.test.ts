import fc from "fast-check";
import { expect, it } from "vitest";
import { isLeapSecond, isoText, otherUnitOf, spelledIn } from "../../schemas/instant.ts";
import { instantOf } from "./instant.ts";

it.each([
  [1_767_225_600_000.5, 1_767_225_600_000.5],
  [-1, -1],
  ["2026-01-01T00:00Z", Date.UTC(2026, 0, 1)],
  ["2026-01-01T00:00", Date.UTC(2026, 0, 1)],
  ["2026-01-01T00:00:07.5", Date.UTC(2026, 0, 1, 0, 0, 7, 500)],
  ["2026-01-01T00:00:00-09:30", Date.UTC(2026, 0, 1, 9, 30)],
  ["2026-01-01T00:00:00.25-0930", Date.UTC(2026, 0, 1, 9, 30, 0, 250)],
  ["2026-01-01 00:00:00", Date.UTC(2026, 0, 1)],
  ["2026-01-01 00:00:00+00", Date.UTC(2026, 0, 1)],
  ["2026-01-01 00:00:00.123456-05", Date.UTC(2026, 0, 1, 5, 0, 0, 123)],
  ["2026-01-01 05:30:00 +0530", Date.UTC(2026, 0, 1)],
  ["2026-01-01T00:00:00-00", Date.UTC(2026, 0, 1)],
  ["2026-01-01T00:00:00-00:00", Date.UTC(2026, 0, 1)],
  ["2026-01-01T00:00:00\u221201:00", Date.UTC(2026, 0, 1, 1)],
  ["2026-01-01T00:00:00,999999Z", Date.UTC(2026, 0, 1, 0, 0, 0, 999)],
  ["20260101T060000Z", Date.UTC(2026, 0, 1, 6)],
  ["20260101T0600", Date.UTC(2026, 0, 1, 6)],
  ["20260101T060000.25+0100", Date.UTC(2026, 0, 1, 5, 0, 0, 250)],
  ["20260101 06:00:00", Date.UTC(2026, 0, 1, 6)],
  ["2026-01-01t00:00:00z", Date.UTC(2026, 0, 1)],
  ["2025-12-31T24:00:00Z", Date.UTC(2026, 0, 1)],
  ["20251231T2400+01", Date.UTC(2025, 11, 31, 23)],
  ["2025-12-31T23:59:60Z", Date.UTC(2026, 0, 1)],
  ["2026-01-01T01:59:60.5+02:00", Date.UTC(2026, 0, 1, 0, 0, 0, 500)],
  ["20260630T235960Z", Date.UTC(2026, 6, 1)],
  ["0001-01-01T00:00Z", Date.parse("0001-01-01T00:00Z")],
  ["2024-02-29T00:00:00", Date.UTC(2024, 1, 29)],
  ["2000-02-29T00:00:00", Date.UTC(2000, 1, 29)],
])("[I12] %s is an instant", (given, expected) => {
  expect(instantOf(given)).toBe(expected);
});

it.each([
  Number.NaN,
  Number.POSITIVE_INFINITY,
  null,
  true,
  [],
  {},
  "",
  "2026-01-01",
  "2026-01-01  00:00:00",
  "2026-01-01T00:00:00  Z",
  "2026-01-01T00:00:00+",
  "2026-01-01T00:00:00+1",
  "2026-01-01T00:00:00+24:00",
  "2026-01-01T00:00:00+00:60",
  "2026-01-01T00:00:00,Z",
  "2026-01-01T00:00,5Z",
  "2026-01-01T00",
  "2026-0101T00:00Z",
  "2026-01-01T00:0000Z",
  "2026-01-01T24:00:00.001Z",
  "2026-01-01T24:01Z",
  "2026-W01-4T00:00Z",
  "20260101",
  "202601010600",
  " 2026-01-01T00:00Z",
  "2026-01-01T12:00:60Z",
  "2025-12-31T23:59:61Z",
  "2025-12-31T22:59:60Z",
  "2026-01-01T00:00:00Zulu",
  "2026-01-01T00:00:00.1234567890Z",
  "2026-00-01T00:00Z",
  "2026-01-00T00:00Z",
  "2026-01-32T00:00Z",
  "2026-06-31T00:00Z",
  "2100-02-29T00:00Z",
  "2026-01-01T25:00Z",
  "2026-01-01T23:60Z",
  "2026-01-01T23:59:60Z",
  "1767225600000",
])("[I12] %j is none", (given) => {
  expect(instantOf(given)).toBeUndefined();
});

it("[I12] every date of four-digit years comes back from its ISO text", () => {
  const date = fc.date({
    min: new Date("0001-01-01T00:00Z"),
    max: new Date("9999-12-31T23:59Z"),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(date, fc.integer({ min: -839, max: 839 }), (instant, offset) => {
      expect(instantOf(instant.toISOString())).toBe(instant.getTime());
      const [hh, mm] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60].map((n) =>
        `${n}`.padStart(2, "0"),
      );
      const text = `${instant.toISOString().slice(0, -1)}${offset < 0 ? "-" : "+"}${hh}:${mm}`;
      expect(instantOf(text)).toBe(instant.getTime() - offset * 60_000);
    }),
  );
});

it("[I29] of the texts that are instants those with a second 60 are leap seconds", () => {
  const leap = ["2025-12-31T23:59:60Z", "20251231T235960", "2025-12-31 23:59:60,5+00"];
  const none = ["2026-01-01T00:00:00Z", "20260601T005900", "2026-01-01T06:00", "20260101T060000.60Z"];
  expect(leap.map(isLeapSecond)).toEqual([true, true, true]);
  expect(none.map(isLeapSecond)).toEqual([false, false, false, false]);
});

it.each([
  [20260110, "2026-01-10T00:00:00Z"],
  [2026011006, "2026-01-10T06:00:00Z"],
  [202601100600, "2026-01-10T06:00:00Z"],
  [20260110060059, "2026-01-10T06:00:59Z"],
  [20260110060000124, "2026-01-10T06:00:00Z"],
  [20260110060060000, "2026-01-10T06:00:59Z"], // what float64 has of 20260110060059999
  ["20260110060000123456", "2026-01-10T06:00:00Z"],
  [19700101, "1970-01-01T00:00:00Z"],
])("[I28] %s is a date's digits written together", (digits, expected) => {
  expect(isoText(spelledIn(digits)!)).toBe(expected);
  expect(isoText(spelledIn(String(digits))!)).toBe(expected);
});

it.each([
  20261301, 2026011025, 202602300600, 2026011, 202601, 1767225600000, 1_767_225_600, 210_001_010_000, 1e30, 0,
])("[I28] %s spells none", (number) => {
  expect(spelledIn(number)).toBeUndefined();
});

it("[I28] no epoch ms since September 1976 looks like anything else", () => {
  fc.assert(
    fc.property(fc.integer({ min: Date.UTC(1976, 8, 1), max: 1e14 }), (ms) => {
      expect([undefined, "the digits of a date written together"]).toContain(otherUnitOf(ms));
      if (ms < Date.UTC(2600, 0, 1)) expect(otherUnitOf(ms)).toBeUndefined();
    }),
  );
});
