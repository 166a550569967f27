import { describe, expect, it } from "vitest";
import { FakeDevice, HOUR_MS, START_MS } from "./fake-device.ts";
import { noteGap, reportEveryMs } from "./rhythm.ts";
import { decodeState, encodeState } from "./state.ts";

const rhythmOf = (...gapsMs: number[]) => {
  const kept: number[] = [];
  for (const gapMs of gapsMs) noteGap(kept, gapMs);
  return reportEveryMs(kept);
};

describe("[D31] how often a device reports", () => {
  it("[D31] is not known before its second report, and then the gap between the two", () => {
    expect(rhythmOf()).toBeNull();
    expect(rhythmOf(HOUR_MS)).toBe(HOUR_MS);
  });

  it("[D31] an outage does not change it, nor do requests that come together in each period", () => {
    expect(rhythmOf(10_000, 10_000, 3 * 24 * HOUR_MS, 10_000)).toBe(10_000);
    expect(rhythmOf(200, 60_000, 200, 60_000, 200)).toBe(60_000);
    expect(rhythmOf(0, 60_000, 0, 0, 60_000, 0)).toBe(60_000);
  });

  it("[D31] a device that reports more often now is known to after eight reports", () => {
    const slow = Array.from({ length: 20 }, () => HOUR_MS);
    const fast = Array.from({ length: 7 }, () => 1_000);
    expect(rhythmOf(...slow, ...fast.slice(1))).toBe(HOUR_MS);
    expect(rhythmOf(...slow, ...fast)).toBe(1_000);
    expect(rhythmOf(...fast, HOUR_MS, HOUR_MS)).toBe(HOUR_MS);
  });

  it("[D31] a device measures it by receipt, whatever its own clock says, and keeps it in its row", () => {
    const device = new FakeDevice();
    for (let i = 0; i < 4; i++) {
      device.commit(START_MS + i * 600_000, [
        { at: START_MS + i, metrics: { t: i } },
        { at: START_MS + i + 1, metrics: { t: i } },
      ]);
    }
    expect(reportEveryMs(device.state.gapsMs)).toBe(600_000);
    expect(decodeState(encodeState(device.state)).gapsMs).toEqual([600_000, 600_000, 600_000]);
  });
});
