import fc from "fast-check";
import { expect, it } from "vitest";
import { instantOf } from "./instant.ts";

it.each([
  [1_767_225_600_000.5, 1_767_225_600_000.5],
  [-1, -1],
  ["2026-01-01T00:00Z", Date.UTC(2026, 0, 1)],
  ["2026-01-01T00:00", Date.UTC(2026, 0, 1)],
  ["2026-01-01T00:00:07.5", Date.UTC(2026, 0, 1, 0, 0, 7, 500)],
  ["2026-01-01T00:00:00-09:30", Date.UTC(2026, 0, 1, 9, 30)],
  ["2026-01-01T00:00:00.25-0930", Date.UTC(2026, 0, 1, 9, 30, 0, 250)],
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
  "2026-01-01 00:00:00",
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
