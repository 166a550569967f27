import { describe, expect, it } from "vitest";
import { METRICS_PER_REPORT_MAX } from "../../schemas/limits.ts";
import { FakeDevice, HOUR_MS, packed, START_MS } from "./fake-device.ts";
import { noteLatest } from "./latest.ts";
import { markTaken } from "./retain.ts";

const now = START_MS + HOUR_MS;
const note = ({ state }: FakeDevice, at: number, metrics: Record<string, number>, receivedAt = now) => {
  const reports = packed(receivedAt, [{ at, metrics }]);
  return [...noteLatest(state, reports, markTaken(state, reports))];
};

describe("latest", () => {
  it("[D15] an older reading never replaces a newer one, a correction and a newer one do", () => {
    const device = new FakeDevice();
    expect(note(device, 2 + START_MS, { a: 1 })).toEqual(["a"]);
    expect(note(device, 1 + START_MS, { a: 9, b: 9 })).toEqual(["b"]);
    expect(note(device, 2 + START_MS, { a: 1 })).toEqual([]);
    expect(note(device, 2 + START_MS, { a: 3 }, now + 5)).toEqual(["a"]);
    expect(device.state.latest.get("a")).toEqual({ at: START_MS + 2, value: 3, receivedAt: now + 5 });
    expect(note(device, 3 + START_MS, { a: 3 })).toEqual(["a"]);
  });

  it("[D15] a reading too old to be stored is not noted, but that it came is", () => {
    const device = new FakeDevice({ latenessHorizonMs: HOUR_MS });
    expect(note(device, now - HOUR_MS - 1, { a: 1 })).toEqual([]);
    expect(device.state).toMatchObject({ lastReceivedAt: now, firstReceivedAt: now, latest: new Map() });
  });

  it("[D15] receipt times keep the first and the highest", () => {
    const device = new FakeDevice();
    for (const receivedAt of [now, now + 5, now + 2]) note(device, START_MS, { a: 1 }, receivedAt);
    expect(device.state).toMatchObject({ lastReceivedAt: now + 5, firstReceivedAt: now });
  });

  it("[D15] of more than 1,000 metrics the one longest silent goes", () => {
    const device = new FakeDevice();
    const names = Array.from({ length: METRICS_PER_REPORT_MAX }, (_, i) => `m${i}`);
    note(device, START_MS + 10, Object.fromEntries(names.map((name) => [name, 1])));
    note(
      device,
      START_MS + 11,
      Object.fromEntries(names.filter((name) => name !== "m500").map((name) => [name, 1])),
    );
    expect(note(device, START_MS + 12, { next: 1 })).toEqual(["next"]);
    expect([device.state.latest.size, device.state.latest.has("m500")]).toEqual([
      METRICS_PER_REPORT_MAX,
      false,
    ]);
  });

  it("[D15] … also when that is the newcomer", () => {
    const device = new FakeDevice();
    note(device, START_MS + 10, Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`m${i}`, 1])));
    expect(note(device, START_MS + 9, { older: 1 })).toEqual([]);
    expect([device.state.latest.size, device.state.latest.has("older")]).toEqual([1_000, false]);
  });
});
