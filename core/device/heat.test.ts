import { describe, expect, it } from "vitest";
import { defaultSettings } from "../../schemas/tenant.ts";
import { coolsAt, heatUp, isHot, reportsPerSecond } from "./heat.ts";
import { newState } from "./state.ts";

const NOW = Date.UTC(2026, 0, 5);

/** A device that sends this many reports every `everyMs` for ten minutes. */
function sending(reports: number, everyMs: number, perSecond: number | null = 10) {
  const limits = { ...defaultSettings.limits, reportsPerSecondPerDevice: perSecond };
  const device = newState("acme", "pump-1", { ...defaultSettings, limits }, 0);
  for (let at = NOW - 600_000; at <= NOW; at += everyMs) heatUp(device, reports, at);
  return device;
}

describe("how hot a device is", () => {
  it.each([
    [1, 100],
    [30, 1_000],
    [1, 10_000],
  ])(
    "[F11] %i reports every %i ms are measured as such, and are forgotten in minutes",
    (reports, everyMs) => {
      const device = sending(reports, everyMs);
      const sent = (reports * 1000) / everyMs;
      expect(reportsPerSecond(device, NOW) / sent).toBeCloseTo(1, 0);
      expect(reportsPerSecond(device, NOW + 600_000)).toBeLessThan(sent / 1000);
    },
  );

  it("[F11] it is hot above what it may send in the long run, or above ten a second where it may send all", () => {
    expect([isHot(sending(1, 50), NOW), isHot(sending(1, 200), NOW)]).toEqual([true, false]);
    expect([isHot(sending(1, 200, 2), NOW), isHot(sending(1, 1000, 2), NOW)]).toEqual([true, false]);
    expect([isHot(sending(1, 50, null), NOW), isHot(sending(1, 200, null), NOW)]).toEqual([true, false]);
  });

  it("[F11] [A75] until when it is hot is known exactly; of one that is not, when it was heard last", () => {
    const device = sending(1, 50);
    const until = coolsAt(device);
    expect([isHot(device, until - 1), isHot(device, until)]).toEqual([true, false]);
    expect(coolsAt(sending(1, 1_000))).toBe(NOW);
    expect(coolsAt(newState("acme", "pump-1", defaultSettings, 0))).toBe(0);
  });

  it("[F11] a day's backlog at once is hot for a while, and a clock that goes back changes nothing", () => {
    const device = sending(1, 60_000);
    heatUp(device, 1440, NOW + 1);
    expect([isHot(device, NOW + 1), isHot(device, NOW + 120_000)]).toEqual([true, false]);
    heatUp(device, 1, NOW - 60_000);
    expect(device.heat.atMs).toBe(NOW + 1);
  });
});
