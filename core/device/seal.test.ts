import { describe, expect, it } from "vitest";
import { BLOCK_BYTES_MAX } from "../block/cut.ts";
import { spreadOf } from "../spread.ts";
import { FakeDevice, HOUR_MS, noise, START_MS, TIMING } from "./fake-device.ts";
import { BACKLOG_SEAL_MS, OPEN_BYTES_MAX, sealDueAt } from "./seal.ts";

const MINUTE_MS = 60_000;
const reading = (at: number, value = 1) => ({ at, metrics: { m: value } });
const share = Math.floor(spreadOf("pump-1") * TIMING.spreadMs);
const startsOf = (blocks: readonly { startMs: number }[]) => blocks.map(({ startMs }) => startMs);

describe("when a block is sealed", () => {
  it.each([
    ["pump-", 0],
    ["station-", 5],
  ])("[D39] the shares of a hundred devices named %s… fill the spread", (prefix, digits) => {
    const tenths = new Array<number>(10).fill(0);
    for (let i = 0; i < 100; i++)
      tenths[Math.floor(spreadOf(prefix + `${i}`.padStart(digits, "0")) * 10)]! += 1;
    expect(Math.min(...tenths)).toBeGreaterThan(2);
    expect(Math.max(...tenths)).toBeLessThan(20);
  });

  it("[D39] due is the hour's end + 1 min + the device's share of the spread, for a part of the hour too", () => {
    const device = new FakeDevice();
    device.commit(START_MS, [reading(START_MS)]);
    const open = device.state.open[0]!;
    expect(sealDueAt(open, "pump-1", TIMING)).toBe(START_MS + HOUR_MS + MINUTE_MS + share);
    open.mark.startMs += 7;
    expect(sealDueAt(open, "pump-1", TIMING)).toBe(START_MS + HOUR_MS + MINUTE_MS + share);
  });

  it("[D8] a commit a millisecond before seals nothing, one at the instant does", () => {
    const device = new FakeDevice();
    device.commit(START_MS, [reading(START_MS)]);
    const dueAt = START_MS + HOUR_MS + MINUTE_MS + share;
    expect(device.commit(dueAt - 1).sealed).toEqual([]);
    expect(startsOf(device.commit(dueAt).sealed)).toEqual([START_MS]);
    expect(device.state.open).toEqual([]);
  });

  it("[D8] a due block that the commit touches stays open; duplicates do not touch it", () => {
    const device = new FakeDevice();
    device.commit(START_MS, [reading(START_MS)]);
    const muchLater = START_MS + 5 * HOUR_MS;
    expect(device.commit(muchLater, [reading(START_MS + 1)]).sealed).toEqual([]);
    expect(startsOf(device.commit(muchLater, [reading(START_MS + 1)]).sealed)).toEqual([START_MS]);
  });

  it("[D39] a block opened after its hour waits for more of the backlog", () => {
    const device = new FakeDevice();
    const openedAt = START_MS + 30 * HOUR_MS;
    device.commit(openedAt, [reading(START_MS)]);
    expect(device.commit(openedAt + BACKLOG_SEAL_MS - 1).sealed).toEqual([]);
    expect(startsOf(device.commit(openedAt + BACKLOG_SEAL_MS).sealed)).toEqual([START_MS]);
  });
});

describe("a block grown too large", () => {
  const grown = (count: number) =>
    noise(count).map((value, i) => ({ at: START_MS + i * 500, metrics: { m: value } }));

  it("[D9] is cut at its median instant; the later part stays open in no slot", () => {
    const device = new FakeDevice();
    const { sealed } = device.commit(START_MS, grown(6_000));
    expect(sealed).toMatchObject([
      { slot: 0, startMs: START_MS, endMs: START_MS + 3_000 * 500, revision: 1 },
    ]);
    expect(device.state.open.map(({ mark }) => mark)).toMatchObject([
      { startMs: START_MS + 3_000 * 500, endMs: START_MS + HOUR_MS, slot: null, dirty: true },
    ]);
  });

  it("[D9] keeps its slot for the earliest part when it had been sealed before", () => {
    const device = new FakeDevice();
    device.commit(START_MS, grown(1), true);
    const { sealed } = device.commit(START_MS, grown(6_000), true);
    expect(sealed.map(({ slot, startMs, revision }) => [slot, startMs, revision])).toEqual([
      [0, START_MS, 2],
      [1, START_MS + 3_000 * 500, 2],
    ]);
  });

  it("[D9] a sealed part is opened again within its own span", () => {
    const device = new FakeDevice();
    device.commit(START_MS, grown(6_000), true);
    const { sealed } = device.commit(
      START_MS,
      [reading(START_MS + 1), reading(START_MS + 3_000 * 500 + 1)],
      true,
    );
    const cutMs = START_MS + 3_000 * 500;
    expect(sealed.map(({ slot, startMs, endMs, revision }) => [slot, startMs, endMs, revision])).toEqual([
      [0, START_MS, cutMs, 2],
      [1, cutMs, START_MS + HOUR_MS, 2],
    ]);
  });
});

describe("the open set", () => {
  /** About 24 KB of one hour. */
  const hourOf = (index: number, seed = index) =>
    noise(3_000, seed).map((value, i) => ({
      at: START_MS + index * HOUR_MS + i * 1_000,
      metrics: { m: value },
    }));
  const now = START_MS + 100 * HOUR_MS;

  it("[D10] over 64 KiB the least recently touched is sealed first, after an eviction too", () => {
    const device = new FakeDevice();
    device.commit(now, hourOf(0));
    device.commit(now, hourOf(1));
    device.commit(now, [reading(START_MS + 1)]);
    device.evict();
    const { sealed } = device.commit(now, hourOf(2));
    expect(startsOf(sealed)).toEqual([START_MS + HOUR_MS]);
    expect(startsOf(device.state.open.map(({ mark }) => mark))).toEqual([START_MS, START_MS + 2 * HOUR_MS]);
  });

  it("[D10] the newest block stays, however long untouched", () => {
    const device = new FakeDevice();
    device.commit(now, hourOf(9));
    device.commit(now, hourOf(1));
    expect(startsOf(device.commit(now, hourOf(2)).sealed)).toEqual([START_MS + HOUR_MS]);
  });

  it("[D10] a set of up to 64 KiB is left alone", () => {
    const device = new FakeDevice();
    device.commit(now, hourOf(0));
    const { sealed } = device.commit(now, hourOf(1));
    const bytes = device.state.open.map((open) => open.bytes().length);
    expect(bytes[0]! + bytes[1]!).toBeLessThanOrEqual(OPEN_BYTES_MAX);
    expect(bytes[0]! + bytes[1]! + bytes[1]!).toBeGreaterThan(OPEN_BYTES_MAX);
    expect(bytes.every((length) => length <= BLOCK_BYTES_MAX)).toBe(true);
    expect(sealed).toEqual([]);
  });
});
