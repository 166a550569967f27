import { describe, expect, it } from "vitest";
import { FakeDevice, HOUR_MS, START_MS } from "./fake-device.ts";
import { readHot } from "./hot.ts";
import { confirm } from "./outbox.ts";

const now = START_MS + 5 * HOUR_MS;
const at = [START_MS, START_MS + 1, START_MS + HOUR_MS - 1, START_MS + HOUR_MS, START_MS + 2 * HOUR_MS];

/** The first hour sealed, the second sealed and open again, the third open. */
function deviceWithHours() {
  const device = new FakeDevice();
  device.commit(
    now,
    at.slice(0, 3).map((instant) => ({ at: instant, metrics: { m: instant - START_MS } })),
    true,
  );
  device.commit(now, [{ at: at[3]!, metrics: { m: -1 } }], true);
  device.commit(now, [
    { at: at[3]!, metrics: { m: HOUR_MS } },
    { at: at[4]!, metrics: { m: 2 * HOUR_MS, n: 5 } },
  ]);
  return device;
}
const read = ({ state, ring }: FakeDevice, fromMs: number, toMs: number, metric = "m") =>
  readHot(state, ring, metric, fromMs, toMs, now);

describe("readings from the device", () => {
  it("[Q2] come ascending from sealed, open again and open blocks, each reading once", () => {
    const { at: instants, value } = read(deviceWithHours(), 0, Number.MAX_SAFE_INTEGER);
    expect([...instants]).toEqual(at);
    expect([...value]).toEqual(at.map((instant) => instant - START_MS));
  });

  it.each([
    [at[0]!, at[0]!, 0],
    [at[0]!, at[0]! + 1, 1],
    [at[1]!, at[3]!, 2],
    [at[2]! + 1, at[4]!, 1],
    [at[4]! + 1, at[4]! + HOUR_MS, 0],
  ])("[W1] [%d, %d) is half-open: %d readings", (fromMs, toMs, count) => {
    expect(read(deviceWithHours(), fromMs, toMs).at).toHaveLength(count);
  });

  it("[Q2] an unknown metric has none", () => {
    expect(read(deviceWithHours(), 0, Number.MAX_SAFE_INTEGER, "unknown").at).toHaveLength(0);
    expect([...read(deviceWithHours(), 0, Number.MAX_SAFE_INTEGER, "n").value]).toEqual([5]);
  });
});

describe("where the other tiers take over", () => {
  it("[Q1] unsettled begins at the first block open or pending", () => {
    const device = deviceWithHours();
    expect(read(device, 0, 0).unsettledFromMs).toBe(START_MS);
    confirm(device.state, [{ startMs: START_MS, revision: 1 }]);
    expect(read(device, 0, 0).unsettledFromMs).toBe(START_MS + HOUR_MS);
  });

  it("[Q1] all is settled when nothing is open or pending", () => {
    const device = deviceWithHours();
    device.commit(now, [], true);
    confirm(
      device.state,
      [0, 1, 2].map((hour) => ({ startMs: START_MS + hour * HOUR_MS, revision: 9 })),
    );
    expect(read(device, 0, 0).unsettledFromMs).toBe(Number.MAX_SAFE_INTEGER);
  });

  it("[Q2] hot reaches back to what the ring gave up", () => {
    const device = deviceWithHours();
    expect(read(device, 0, 0).hotFromMs).toBe(0);
    device.state.evictedThroughMs = 42;
    expect(read(device, 0, 0).hotFromMs).toBe(42);
  });
});
