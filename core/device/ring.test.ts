import { describe, expect, it } from "vitest";
import { FakeDevice, HOUR_MS, START_MS } from "./fake-device.ts";
import { OUTBOX_MAX } from "./outbox.ts";
import { chooseSlot, RING_KEEP_BYTES, RING_KEEP_SLOTS, type RingEntry } from "./ring.ts";

const entry = (slot: number, hour: number, bytes = 1_000): RingEntry => ({
  slot,
  startMs: START_MS + hour * HOUR_MS,
  endMs: START_MS + (hour + 1) * HOUR_MS,
  revision: 1,
  bytes,
});
const large = [entry(0, 2), entry(1, 0), entry(2, 1, RING_KEEP_BYTES)];
const past = START_MS + 100 * HOUR_MS;
const none: ReadonlySet<number> = new Set();

describe("which slot a sealed block takes", () => {
  it("[D12] an empty ring gives slot 0, a small one the next, whatever its age", () => {
    expect(chooseSlot([], past, none)).toEqual({ slot: 0, evicted: undefined });
    expect(chooseSlot([entry(4, 0), entry(2, 1)], past, none)).toEqual({ slot: 5, evicted: undefined });
  });

  it("[D12] a large ring gives up its oldest block past the horizon", () => {
    expect(chooseSlot(large, past, none)).toEqual({ slot: 1, evicted: large[1] });
  });

  it("[D12] the bytes count from one over the limit", () => {
    const exact = [entry(0, 0, RING_KEEP_BYTES - 1_000), entry(1, 1)];
    expect(chooseSlot(exact, past, none).evicted).toBeUndefined();
    expect(chooseSlot([...exact, entry(2, 2, 1)], past, none).evicted).toBe(exact[0]);
  });

  it("[D12] so do the slots", () => {
    const many = Array.from({ length: RING_KEEP_SLOTS }, (_, i) => entry(i, i, 10));
    expect(chooseSlot(many.slice(1), past + 9_999 * HOUR_MS, none).evicted).toBeUndefined();
    expect(chooseSlot(many, past + 9_999 * HOUR_MS, none).evicted).toBe(many[0]);
  });

  it("[D12] within the horizon nothing is given up", () => {
    expect(chooseSlot(large, START_MS + HOUR_MS - 1, none)).toEqual({ slot: 3, evicted: undefined });
    expect(chooseSlot(large, START_MS + HOUR_MS, none)).toEqual({ slot: 1, evicted: large[1] });
  });

  it("[D43] [D26] what was given up is overwritten first, the oldest of it, and nothing more is given up", () => {
    const givenUpMs = large[2]!.endMs;
    expect(chooseSlot(large, past, none, givenUpMs)).toEqual({ slot: 1, evicted: undefined });
    const small = [entry(0, 3), entry(1, 4)];
    expect(chooseSlot(small, past, none, small[0]!.endMs)).toEqual({ slot: 0, evicted: undefined });
    expect(chooseSlot(small, past, none, small[0]!.endMs - 1)).toEqual({ slot: 2, evicted: undefined });
  });

  it("[D12] an oldest block in use is kept, and so is everything newer: hot answers have no hole", () => {
    expect(chooseSlot(large, past, new Set([1]))).toEqual({ slot: 3, evicted: undefined });
    expect(chooseSlot(large, past, new Set([0, 2])).evicted).toBe(large[1]);
  });
});

describe("a device whose ring is large", () => {
  const now = START_MS + 1_000 * HOUR_MS;
  /** A device that sealed [0 h, 1 h) and [1 h, 6 h); the first counts as large. */
  function deviceWithHistory() {
    const device = new FakeDevice({ latenessHorizonMs: 90 * 24 * HOUR_MS });
    device.commit(START_MS + HOUR_MS, [{ at: START_MS, metrics: { m: 1 } }], true);
    device.commit(START_MS + HOUR_MS, [{ at: START_MS + HOUR_MS, metrics: { m: 2 } }], true);
    const [first, second] = [...device.ring.rows.values()];
    device.ring.rows.set(first!.slot, { ...first!, bytes: RING_KEEP_BYTES + 1 });
    device.state.settings = { ...device.state.settings, latenessHorizonMs: HOUR_MS };
    return { device, first: first!, second: second! };
  }
  const confirmAll = (device: FakeDevice) => {
    device.state.outbox = [];
  };

  it("[D12] overwrites its oldest confirmed block and refuses what lies before the ring from then on", () => {
    const { device, first, second } = deviceWithHistory();
    confirmAll(device);
    const { sealed } = device.commit(now, [{ at: now, metrics: { m: 3 } }], true);
    expect(sealed[0]).toMatchObject({ slot: first.slot, revision: 1 });
    expect([...device.ring.rows.keys()].sort()).toEqual([first.slot, second.slot]);
    expect(device.state.evictedThroughMs).toBe(first.endMs);
    device.state.settings = { ...device.state.settings, latenessHorizonMs: 90 * 24 * HOUR_MS };
    const again = device.commit(now, [
      { at: first.endMs - 1, metrics: { m: 1 } },
      { at: second.startMs, metrics: { m: 2 } },
    ]);
    expect(again.counts).toEqual([0, 1, 0, 0, 0, 1]);
  });

  it("[D12] keeps a block that is not confirmed", () => {
    const { device } = deviceWithHistory();
    const { sealed } = device.commit(now, [{ at: now, metrics: { m: 3 } }], true);
    expect(sealed[0]).toMatchObject({ slot: 2 });
    expect(device.state.evictedThroughMs).toBe(0);
  });

  it("[D12] keeps an unconfirmed block that the outbox has no room for", () => {
    const { device, first } = deviceWithHistory();
    const pending = { startMs: now, revision: 1, resendAt: Number.MAX_SAFE_INTEGER, attempts: 1 };
    device.state.outbox = Array.from({ length: OUTBOX_MAX }, (_, i) => ({ ...pending, slot: 9_000 + i }));
    device.state.unlistedFromMs = first.startMs;
    const { sealed } = device.commit(now - 1, [{ at: now - 1, metrics: { m: 3 } }], true);
    expect(sealed[0]).toMatchObject({ slot: 2 });
    expect(device.state.evictedThroughMs).toBe(0);
  });

  it("[D12] keeps a block that is open again, and counts its bytes once when it is sealed", () => {
    const { device, first } = deviceWithHistory();
    confirmAll(device);
    device.state.settings = { ...device.state.settings, latenessHorizonMs: 90 * 24 * HOUR_MS };
    device.commit(now, [{ at: START_MS + 1, metrics: { m: 1 } }]);
    device.state.settings = { ...device.state.settings, latenessHorizonMs: HOUR_MS };
    const { sealed } = device.commit(now, [{ at: now, metrics: { m: 3 } }], true);
    // Sealed again, hour 0 is small: the ring is not large any more, and nothing is given up.
    expect(sealed.map(({ slot, revision }) => [slot, revision])).toEqual([
      [first.slot, 2],
      [2, 1],
    ]);
    expect(device.state.evictedThroughMs).toBe(0);
  });

  it("[D12] keeps a block that is open again while another is sealed", () => {
    const { device, first } = deviceWithHistory();
    confirmAll(device);
    device.state.settings = { ...device.state.settings, latenessHorizonMs: 90 * 24 * HOUR_MS };
    device.commit(START_MS + 8 * HOUR_MS, [{ at: START_MS + 8 * HOUR_MS, metrics: { m: 3 } }]);
    const dueAt = START_MS + 12 * HOUR_MS + 2 * 60_000;
    device.commit(dueAt - 1, [
      { at: START_MS + 1, metrics: { m: 1 } },
      { at: START_MS + 8 * HOUR_MS + 1, metrics: { m: 3 } },
    ]);
    device.state.settings = { ...device.state.settings, latenessHorizonMs: HOUR_MS };
    expect(device.commit(dueAt).sealed).toHaveLength(1);
    expect(device.state.open.map(({ mark }) => mark.slot)).toEqual([first.slot]);
    expect([...device.ring.rows.values()].map(({ startMs }) => (startMs - START_MS) / HOUR_MS)).toEqual([
      0, 1, 6,
    ]);
  });

  it("[D12] blocks sealed together take a slot each, however old they are", () => {
    const device = new FakeDevice({ latenessHorizonMs: 90 * 24 * HOUR_MS });
    const reading = (hour: number) => ({ at: START_MS + hour * HOUR_MS, metrics: { m: hour } });
    device.commit(now, [reading(50)], true);
    const [row] = device.ring.rows.values();
    device.ring.rows.set(row!.slot, { ...row!, bytes: RING_KEEP_BYTES + 1 });
    device.commit(now, [reading(0), reading(1)]);
    device.state.settings = { ...device.state.settings, latenessHorizonMs: HOUR_MS };
    device.commit(now, [], true);
    const kept = [...device.ring.rows.values()].map(({ slot, startMs }) => [
      slot,
      (startMs - START_MS) / HOUR_MS,
    ]);
    expect(kept).toEqual([
      [0, 50],
      [1, 0],
      [2, 1],
    ]);
  });
});
