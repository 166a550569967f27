import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DAY_MS, HOUR_MS } from "./time.ts";
import { localDayAt, localHourAt, localMs, offsetMs, wholeHoursFromMs } from "./time-zone.ts";

const utc = (text: string) => Date.parse(`${text}Z`);
const iso = (ms: number) => new Date(ms).toISOString().replace(":00.000Z", "");
const spanOf = ({ startMs, endMs }: { startMs: number; endMs: number }) => [iso(startMs), iso(endMs)];

const zone = fc.constantFrom(...Intl.supportedValuesOf("timeZone"), "America/St_Johns", "Africa/Casablanca");
const instant = fc.integer({ min: utc("1973-04-01T00:00"), max: utc("2060-01-01T00:00") });

describe("days of a time zone", () => {
  it.each<[name: string, timeZone: string, at: string, start: string, end: string]>([
    ["a day in winter", "Europe/Berlin", "2026-01-10T12:00", "2026-01-09T23:00", "2026-01-10T23:00"],
    ["a day in summer", "Europe/Berlin", "2026-07-10T12:00", "2026-07-09T22:00", "2026-07-10T22:00"],
    ["23 hours in spring", "Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"],
    ["25 hours in autumn", "Europe/Berlin", "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"],
    ["the instant it begins", "Europe/Berlin", "2026-03-28T23:00", "2026-03-28T23:00", "2026-03-29T22:00"],
    ["west of Greenwich", "America/New_York", "2026-03-08T12:00", "2026-03-08T05:00", "2026-03-09T04:00"],
    ["half an hour", "Asia/Kolkata", "2026-01-10T18:29", "2026-01-09T18:30", "2026-01-10T18:30"],
    ["three quarters", "Asia/Kathmandu", "2026-01-10T18:15", "2026-01-10T18:15", "2026-01-11T18:15"],
    ["23½ hours", "Australia/Lord_Howe", "2026-10-04T00:00", "2026-10-03T13:30", "2026-10-04T13:00"],
    ["24½ hours", "Australia/Lord_Howe", "2026-04-05T00:00", "2026-04-04T13:00", "2026-04-05T13:30"],
    [
      "the day before one that is skipped",
      "Pacific/Apia",
      "2011-12-30T09:59",
      "2011-12-29T10:00",
      "2011-12-30T10:00",
    ],
    ["the day after it", "Pacific/Apia", "2011-12-30T10:00", "2011-12-30T10:00", "2011-12-31T10:00"],
    [
      "a midnight that is skipped",
      "America/Sao_Paulo",
      "2018-11-04T12:00",
      "2018-11-04T03:00",
      "2018-11-05T02:00",
    ],
    ["put back at midnight", "America/Sao_Paulo", "2018-02-18T02:30", "2018-02-17T02:00", "2018-02-18T03:00"],
    [
      "a midnight that comes twice",
      "America/Havana",
      "2026-11-01T12:00",
      "2026-11-01T04:00",
      "2026-11-02T05:00",
    ],
    [
      "put back over midnight: the old date again",
      "America/St_Johns",
      "2010-11-07T02:50",
      "2010-11-07T02:30",
      "2010-11-08T03:30",
    ],
    [
      "an offset that is none of a city",
      "Etc/GMT+5",
      "2026-01-10T04:59",
      "2026-01-09T05:00",
      "2026-01-10T05:00",
    ],
  ])("[W10] %s", (_, timeZone, at, start, end) => {
    expect(spanOf(localDayAt(utc(at), timeZone))).toEqual([start, end]);
  });

  it("[W10] follow each other without gap or overlap, and begin where the clocks show another date, in every zone", () => {
    fc.assert(
      fc.property(zone, instant, (timeZone, at) => {
        const day = localDayAt(at, timeZone);
        expect(day.startMs <= at && at < day.endMs).toBe(true);
        expect([localDayAt(day.startMs, timeZone), localDayAt(day.endMs - 1, timeZone)]).toEqual([day, day]);
        expect(localDayAt(day.endMs, timeZone).startMs).toBe(day.endMs);
        const lengthMs = day.endMs - day.startMs;
        expect(lengthMs).toBeGreaterThanOrEqual(18 * HOUR_MS);
        expect(lengthMs).toBeLessThanOrEqual(30 * HOUR_MS);
        const date = new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short" });
        const [before, first] = [date.format(day.startMs - 1), date.format(day.startMs)];
        expect(before < first).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it("[W10] what the clocks show is what the runtime writes, in every zone", () => {
    fc.assert(
      fc.property(zone, instant, (timeZone, at) => {
        const second = at - (at % 1_000);
        const shown = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
        expect(localMs(second, timeZone)).toBe(Date.parse(`${shown.format(second).replace(" ", "T")}Z`));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("hours of a time zone", () => {
  it.each<[name: string, timeZone: string, at: string, start: string, end: string]>([
    ["as UTC's in Berlin", "Europe/Berlin", "2026-01-10T12:34", "2026-01-10T12:00", "2026-01-10T13:00"],
    [
      "from half past to half past",
      "Asia/Kolkata",
      "2026-01-10T12:29",
      "2026-01-10T11:30",
      "2026-01-10T12:30",
    ],
    [
      "from quarter past to quarter past",
      "Asia/Kathmandu",
      "2026-01-10T12:15",
      "2026-01-10T12:15",
      "2026-01-10T13:15",
    ],
    [
      "cut where half of it comes again",
      "Australia/Lord_Howe",
      "2026-04-04T15:10",
      "2026-04-04T15:00",
      "2026-04-04T15:30",
    ],
    ["after that", "Australia/Lord_Howe", "2026-04-04T15:40", "2026-04-04T15:30", "2026-04-04T16:30"],
    [
      "cut where half of it is skipped",
      "Australia/Lord_Howe",
      "2026-10-03T15:40",
      "2026-10-03T15:30",
      "2026-10-03T16:00",
    ],
    ["before that", "Australia/Lord_Howe", "2026-10-03T15:10", "2026-10-03T14:30", "2026-10-03T15:30"],
  ])("[W10] %s", (_, timeZone, at, start, end) => {
    expect(spanOf(localHourAt(utc(at), timeZone))).toEqual([start, end]);
  });

  it("[W10] follow each other without gap or overlap, none longer than an hour, in every zone", () => {
    const near = fc.constantFrom(utc("2026-04-04T15:00"), utc("2026-10-03T15:30"), utc("2015-08-14T15:00"));
    const at = fc.oneof(
      instant,
      fc.tuple(near, fc.integer({ min: -9e6, max: 9e6 })).map(([a, b]) => a + b),
    );
    const some = fc.oneof(zone, fc.constantFrom("Australia/Lord_Howe", "Asia/Pyongyang"));
    fc.assert(
      fc.property(some, at, (timeZone, at) => {
        const hour = localHourAt(at, timeZone);
        expect(hour.startMs <= at && at < hour.endMs && hour.endMs - hour.startMs <= HOUR_MS).toBe(true);
        expect([localHourAt(hour.startMs, timeZone), localHourAt(hour.endMs - 1, timeZone)]).toEqual([
          hour,
          hour,
        ]);
        expect(localHourAt(hour.endMs, timeZone).startMs).toBe(hour.endMs);
        const [of, end] = [localDayAt(hour.startMs, timeZone), localDayAt(hour.endMs - 1, timeZone)];
        expect(of).toEqual(end);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("whole hours from UTC", () => {
  const [from, to] = [utc("1970-01-01T00:00"), utc("2026-11-30T00:00")];

  it.each<[timeZone: string, since: number]>([
    ["UTC", Number.NEGATIVE_INFINITY],
    ["Europe/Berlin", Number.NEGATIVE_INFINITY],
    ["Asia/Kolkata", to],
    ["Australia/Adelaide", to],
    ["Asia/Singapore", utc("1981-12-31T16:00")],
    ["America/Caracas", utc("2016-05-01T07:00")],
    ["Australia/Lord_Howe", utc("2026-10-03T15:30")],
  ])("[Q28] %s", (timeZone, since) => {
    expect(wholeHoursFromMs(from, to, timeZone)).toBe(since);
  });

  it("[Q28] is asked of the range only: winter on Lord Howe, and the years until 5138", () => {
    const winter = [utc("2026-05-01T00:00"), utc("2026-06-01T00:00")] as const;
    expect(wholeHoursFromMs(...winter, "Australia/Lord_Howe")).toBe(winter[1]);
    expect(wholeHoursFromMs(winter[0], 1e14, "Asia/Singapore")).toBe(Number.NEGATIVE_INFINITY);
    expect(wholeHoursFromMs(0, 1, "Asia/Kolkata")).toBe(Number.NEGATIVE_INFINITY);
  });
});

it("[W10] zones named one after another are each asked anew, however many there were", () => {
  const at = utc("2026-01-10T00:00");
  const all = Intl.supportedValuesOf("timeZone");
  const first = all.map((timeZone) => offsetMs(at, timeZone));
  expect(all.map((timeZone) => offsetMs(at, timeZone))).toEqual(first);
  expect(new Set(first.map((ms) => ms / DAY_MS)).size).toBeGreaterThan(30);
});
