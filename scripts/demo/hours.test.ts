import { describe, expect, it } from "vitest";
import { HISTORY_HOURS, HOUR_MS, historyUntil, hourIndexAt, readSlice, reportsAt } from "./hours.ts";
import { STATIONS } from "./stations.ts";

const hours = await readSlice();
const nowMs = Date.UTC(2026, 10, 22, 6, 40, 12);

describe("the demo's history", () => {
  it("ends with the hour that holds now, and begins within the lateness horizon of 7 days", () => {
    const history = historyUntil(nowMs, hours);
    expect(history.at(-1)!.at).toBe(Date.UTC(2026, 10, 22, 6));
    expect(history[0]!.at).toBe(Date.UTC(2026, 10, 22, 6) - (HISTORY_HOURS - 1) * HOUR_MS);
    expect(nowMs - history[0]!.at).toBeLessThan(7 * 24 * HOUR_MS - 10 * 60_000);
    expect(history.every(({ at }, index) => index === 0 || at >= history[index - 1]!.at)).toBe(true);
  });

  it("is the same whenever the demo is started: an hour seen twice has the same values", () => {
    const seen = new Map(
      historyUntil(nowMs, hours).map((report) => [`${report.device} ${report.at}`, report.metrics]),
    );
    let repeated = 0;
    for (const { device, at, metrics } of historyUntil(nowMs + 50 * HOUR_MS + 1, hours)) {
      const before = seen.get(`${device} ${at}`);
      if (before === undefined) continue;
      expect(metrics).toEqual(before);
      repeated++;
    }
    expect(repeated).toBe((HISTORY_HOURS - 50) * 12);
  });

  it("keeps the recorded hour of the day", () => {
    const index = hourIndexAt(nowMs, hours.length);
    expect(new Date(hours[index]![0]!.at).getUTCHours()).toBe(6);
  });

  it("goes round: after the last recorded hour comes the first", () => {
    expect(reportsAt(1, hours.length - 1, hours)[0]!.metrics).toEqual(hours.at(-1)![0]!.metrics);
    expect(reportsAt(1, hours.length, hours)[0]!.metrics).toEqual(hours[0]![0]!.metrics);
  });
});

it("every station of the slice has its place, and every zone stations at both doors", () => {
  expect(STATIONS.map(({ device }) => device).sort()).toEqual(
    [...new Set(hours.flat().map(({ device }) => device))].sort(),
  );
  for (const zone of ["city", "suburb", "hills"]) {
    const doors = STATIONS.flatMap((station, index) => (station.zone === zone ? [index % 2] : []));
    expect(new Set(doors).size).toBe(2);
  }
});
