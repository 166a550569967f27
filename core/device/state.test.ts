import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultSettings } from "../../schemas/tenant.ts";
import { FakeDevice, HOUR_MS, START_MS } from "./fake-device.ts";
import { decodeState, encodeState, newState } from "./state.ts";

const now = START_MS + 5 * HOUR_MS;
const withoutBlocks = ({ open, ...rest }: ReturnType<typeof decodeState>) => ({
  ...rest,
  open: open.map(({ mark, touched }) => ({ mark, touched })),
});

function busyDevice() {
  const device = new FakeDevice();
  device.commit(now, [{ at: START_MS, metrics: { temperature: -0, "°C": 5e-324 } }], true);
  device.commit(now, [
    { at: START_MS + 1, metrics: { temperature: 1e308 } },
    { at: now, metrics: { constructor: 1.5, toString: -7 } },
  ]);
  return device;
}

describe("the state row", () => {
  it("[D18] decodes to what was encoded: header, latest, outbox, marks, and every block", () => {
    const { state } = busyDevice();
    const decoded = decodeState(encodeState(state));
    expect(withoutBlocks(decoded)).toEqual(withoutBlocks(state));
    expect(decoded.open.map((open) => open.block())).toEqual(state.open.map((open) => open.block()));
  });

  it("[D18] so it does for a new device", () => {
    const state = newState("acme", "pump-1", defaultSettings, 7);
    expect(decodeState(encodeState(state))).toEqual(state);
  });

  it("[D18] any latest readings, by any name", () => {
    const latest = fc.dictionary(
      fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("__proto__", "constructor", "length")),
      fc.record({
        at: fc.maxSafeNat(),
        value: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
        receivedAt: fc.maxSafeNat(),
      }),
    );
    fc.assert(
      fc.property(latest, (readings) => {
        const state = newState("acme", "pump-1", defaultSettings, 0);
        state.latest = new Map(Object.entries(readings));
        expect(decodeState(encodeState(state)).latest).toEqual(state.latest);
      }),
    );
  });

  it("[D18] a row inside a larger buffer decodes", () => {
    const row = encodeState(busyDevice().state);
    const larger = new Uint8Array(row.length + 30).fill(255);
    larger.set(row, 13);
    expect(encodeState(decodeState(larger.subarray(13, 13 + row.length)))).toEqual(row);
  });

  it("[D18] open blocks are untouched until needed: broken bytes are met by who needs them, not by the row", () => {
    const { state } = busyDevice();
    const row = encodeState(state);
    row[row.length - 1]! ^= 1;
    const [first, last] = decodeState(row).open;
    expect(encodeState(decodeState(row))).toEqual(row);
    expect(first!.block()).toEqual(state.open[0]!.block());
    expect(() => last!.block()).toThrow(expect.objectContaining({ code: "corrupt" }));
  });

  it("[D18] a row written before blocks said when they were touched is read", () => {
    const row = encodeState(busyDevice().state);
    const headBytes = new DataView(row.buffer).getUint32(0, true);
    const head = new TextDecoder().decode(row.subarray(4, 4 + headBytes));
    const older = new TextEncoder().encode(head.replaceAll(/"touched":\d+,/g, ""));
    const rewritten = new Uint8Array(row.length - headBytes + older.length);
    new DataView(rewritten.buffer).setUint32(0, older.length, true);
    rewritten.set(older, 4);
    rewritten.set(row.subarray(4 + headBytes), 4 + older.length);
    expect(older.length).toBeLessThan(headBytes);
    expect(decodeState(rewritten).open.map(({ touched }) => touched)).toEqual([0, 0]);
  });
});
