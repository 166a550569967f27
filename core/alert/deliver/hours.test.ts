import { describe, expect, it } from "vitest";
import { type WeeklyHours, weeklyHours } from "../../../schemas/channel.ts";
import { hoursBeginAt, hoursEndAt, isWithin } from "./hours.ts";

const utc = (text: string) => Date.parse(`${text}Z`);
const hours = (from: string, to: string, timeZone = "UTC", days?: WeeklyHours["days"]) =>
  weeklyHours.parse({ from, to, timeZone, ...(days === undefined ? {} : { days }) });
const iso = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());

describe("hours of the week", () => {
  const office = hours("08:00", "17:00");
  const night = hours("22:00", "06:00");
  const fridayNight = hours("22:00", "06:00", "UTC", ["fri"]);
  const wholeSunday = hours("00:00", "00:00", "UTC", ["sun"]);
  const berlin = hours("08:00", "17:00", "Europe/Berlin");
  const kathmandu = hours("08:00", "09:00", "Asia/Kathmandu"); // UTC+05:45

  it.each<[name: string, hours: WeeklyHours, at: string, end: string | undefined]>([
    ["begins with its first instant", office, "2026-11-20T08:00:00.000", "2026-11-20T17:00:00.000Z"],
    ["not before", office, "2026-11-20T07:59:59.999", undefined],
    ["holds its last", office, "2026-11-20T16:59:59.999", "2026-11-20T17:00:00.000Z"],
    ["and not its end", office, "2026-11-20T17:00:00.000", undefined],
    ["over midnight, before it", night, "2026-11-20T23:00:00", "2026-11-21T06:00:00.000Z"],
    ["over midnight, after it", night, "2026-11-21T05:59:59", "2026-11-21T06:00:00.000Z"],
    ["over midnight, by day", night, "2026-11-21T12:00:00", undefined],
    ["days are those it begins on", fridayNight, "2026-11-21T03:00:00", "2026-11-21T06:00:00.000Z"],
    ["the night before belongs to thursday", fridayNight, "2026-11-20T03:00:00", undefined],
    ["from equal to to is a whole day", wholeSunday, "2026-11-22T23:59:59", "2026-11-23T00:00:00.000Z"],
    ["and not the next", wholeSunday, "2026-11-23T00:00:00", undefined],
    ["winter in Berlin", berlin, "2026-11-20T07:00:00", "2026-11-20T16:00:00.000Z"],
    ["summer in Berlin", berlin, "2026-07-20T06:00:00", "2026-07-20T15:00:00.000Z"],
    ["summer in Berlin, an hour too early", berlin, "2026-07-20T05:59:59", undefined],
    ["a zone of quarter hours", kathmandu, "2026-11-20T02:15:00", "2026-11-20T03:15:00.000Z"],
  ])("[A28] %s", (_, own, at, end) => {
    expect(iso(hoursEndAt(own, utc(at)))).toBe(end);
    expect(isWithin([own], utc(at))).toBe(end !== undefined);
  });

  it.each<[name: string, hours: WeeklyHours, at: string, begin: string]>([
    ["later the same day", office, "2026-11-20T07:59:59.999", "2026-11-20T08:00:00.000Z"],
    ["the next day, from its end on", office, "2026-11-20T17:00:00", "2026-11-21T08:00:00.000Z"],
    ["in a week", wholeSunday, "2026-11-23T00:00:00", "2026-11-29T00:00:00.000Z"],
    ["over midnight", fridayNight, "2026-11-21T06:00:00", "2026-11-27T22:00:00.000Z"],
    ["after the clocks went back", berlin, "2026-10-24T15:00:00", "2026-10-25T07:00:00.000Z"],
    [
      "in an hour that is skipped: when that would have begun",
      hours("02:30", "05:00", "Europe/Berlin"),
      "2026-03-28T12:00:00",
      "2026-03-29T01:00:00.000Z",
    ],
  ])("[A28] begin next %s", (_, own, at, begin) => {
    expect(isWithin([own], utc(at))).toBe(false);
    expect(iso(hoursBeginAt(own, utc(at)))).toBe(begin);
  });

  it("[A28] [A29] the night in which summer time begins is an hour shorter, the one in which it ends an hour longer", () => {
    const berlinNight = hours("22:00", "06:00", "Europe/Berlin");
    // 2026-03-29 02:00 → 03:00, 2026-10-25 03:00 → 02:00
    expect(iso(hoursEndAt(berlinNight, utc("2026-03-28T21:00:00")))).toBe("2026-03-29T04:00:00.000Z");
    expect(iso(hoursEndAt(berlinNight, utc("2026-10-24T20:00:00")))).toBe("2026-10-25T05:00:00.000Z");
    // The hour that comes twice is both times in.
    const twice = hours("02:00", "03:00", "Europe/Berlin");
    expect([0, 1, 2].map((hour) => isWithin([twice], utc(`2026-10-25T0${hour}:30:00`)))).toEqual([
      true,
      true,
      false,
    ]);
    // The hour that does not come is not.
    expect([0, 1, 2].map((hour) => isWithin([twice], utc(`2026-03-29T0${hour}:30:00`)))).toEqual([
      false,
      false,
      false,
    ]);
  });

  it("[A29] hours that end at a time which summer time skips end when it begins, and never before now", () => {
    const skipped = hours("01:00", "02:30", "Europe/Berlin");
    for (const at of ["2026-03-29T00:00:00", "2026-03-29T00:45:00", "2026-03-29T00:59:59"]) {
      expect(iso(hoursEndAt(skipped, utc(at)))).toBe("2026-03-29T01:00:00.000Z");
    }
    expect(hoursEndAt(skipped, utc("2026-03-29T01:00:00"))).toBeUndefined();
  });

  it("[A28] any of several", () => {
    expect(isWithin([office, night], utc("2026-11-20T23:00:00"))).toBe(true);
    expect(isWithin([office, night], utc("2026-11-20T18:00:00"))).toBe(false);
    expect(isWithin([], utc("2026-11-20T18:00:00"))).toBe(false);
  });
});
