import { describe, expect, it } from "vitest";
import { drawDate, shiftedDates } from "./dates.ts";

const namesAndDates = (now: string) =>
  Object.fromEntries(
    shiftedDates(Date.parse(now)).map(({ name, atMs }) => [name, new Date(atMs).toISOString().slice(0, 16)]),
  );

describe("the dates that tests are shifted to", () => {
  it("[X7] 40 and 400 days, a leap day, the nights of summer time and of the year's end, each the next", () => {
    expect(namesAndDates("2026-11-30T19:00:00Z")).toEqual({
      "40 days ahead": "2027-01-09T19:00",
      "400 days ahead": "2028-01-04T19:00",
      "29 February": "2028-02-29T12:00",
      "summer time begins": "2027-03-28T00:58",
      "summer time ends": "2027-10-31T00:58",
      "the year ends": "2026-12-31T23:58",
    });
    expect(namesAndDates("2096-12-31T23:59:00Z")).toMatchObject({
      "29 February": "2104-02-29T12:00", // 2100 has none
      "summer time begins": "2097-03-31T00:58",
      "summer time ends": "2097-10-27T00:58",
      "the year ends": "2097-12-31T23:58",
    });
  });

  it("[X7] the clocks of Berlin change two minutes after the nights of summer time begin", () => {
    const hour = (atMs: number) =>
      new Date(atMs).toLocaleTimeString("en-GB", {
        timeZone: "Europe/Berlin",
        hour: "2-digit",
        minute: "2-digit",
      });
    const nights = shiftedDates(Date.UTC(2026, 10, 30)).filter(
      ({ timeZone }) => timeZone === "Europe/Berlin",
    );
    expect(nights.map(({ atMs }) => [hour(atMs), hour(atMs + 120_000)])).toEqual([
      ["01:58", "03:00"],
      ["02:58", "02:00"],
    ]);
  });

  it("[X7] any of them can be drawn", () => {
    const drawn = new Set(Array.from({ length: 60 }, (_, i) => drawDate(0, i / 60).name));
    expect(drawn.size).toBe(6);
  });
});
