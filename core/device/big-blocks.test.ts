import { describe, expect, it } from "vitest";
import type { PackedReports } from "../../schemas/message.ts";
import { BLOCK_BYTES_MAX, BLOCK_READINGS_MAX } from "../block/cut.ts";
import { decodeBlock } from "../block/decode.ts";
import { applyReports } from "./apply.ts";
import { FakeDevice, HOUR_MS, MapRing, noise, packed, START_MS, TIMING } from "./fake-device.ts";
import { readHot } from "./hot.ts";
import { markTaken } from "./retain.ts";
import { type SealedBlock, sealBlocks } from "./seal.ts";
import { encodeState } from "./state.ts";

const now = START_MS + HOUR_MS;

/** Applies and seals everything in one go, as one commit of many requests does. */
function sealAtOnce(reports: PackedReports) {
  const { state } = new FakeDevice();
  const ring = new MapRing();
  const { counts } = applyReports(state, reports, markTaken(state, reports), ring);
  const sealed = sealBlocks(state, now, ring, TIMING, () => true);
  for (const row of sealed) ring.rows.set(row.slot, row);
  return { state, ring, counts, sealed };
}

function expectTiling(sealed: readonly SealedBlock[]) {
  const spans = sealed.map(({ startMs, endMs }) => [startMs, endMs]).sort((a, b) => a[0]! - b[0]!);
  expect(spans[0]![0]).toBe(START_MS);
  expect(spans.at(-1)![1]).toBe(START_MS + HOUR_MS);
  for (let i = 1; i < spans.length; i++) expect(spans[i]![0]).toBe(spans[i - 1]![1]);
}

describe("a block grown too large", { timeout: 60_000 }, () => {
  it("[D9] 200,000 readings of an hour in one call are cut into blocks of at most 32 KiB, exact", () => {
    const values = noise(200_000);
    const names = ["a", "b", "c", "d"];
    const reports = Array.from({ length: 50_000 }, (_, i) => ({
      at: START_MS + i * 71,
      metrics: Object.fromEntries(names.map((name, n) => [name, values[i * 4 + n]!])),
    }));
    const { state, ring, counts, sealed } = sealAtOnce(packed(now, reports));
    expect(counts).toEqual([200_000, 0, 0, 0, 0, 0]);
    expect(Math.max(...sealed.map(({ block }) => block.length))).toBeLessThanOrEqual(BLOCK_BYTES_MAX);
    expectTiling(sealed);
    for (const [n, name] of names.entries()) {
      const { at, value } = readHot(state, ring, name, START_MS, START_MS + HOUR_MS, now);
      expect([...at]).toEqual(reports.map((report) => report.at));
      expect([...value]).toEqual(values.filter((_, i) => i % 4 === n));
    }
  });

  it("[D9] readings that take no bytes are cut by their number: over a million of one hour are stored", () => {
    const metrics = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`m${i}`, 21.5]));
    const reports = Array.from({ length: 1_010 }, (_, second) => ({
      at: START_MS + second * 1_000,
      metrics,
    }));
    const { state, ring, counts, sealed } = sealAtOnce(packed(now, reports));
    expect(counts).toEqual([1_010_000, 0, 0, 0, 0, 0]);
    expectTiling(sealed);
    const sizes = sealed.map(({ block }) =>
      decodeBlock(block).columns.reduce((sum, { at }) => sum + at.length, 0),
    );
    expect(sizes.reduce((sum, size) => sum + size)).toBe(1_010_000);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(BLOCK_READINGS_MAX);
    expect(readHot(state, ring, "m999", START_MS, START_MS + HOUR_MS, now).at).toHaveLength(1_010);
  });

  it("[Q2] one metric of a thousand is read piece by piece, for its blocks hold them all: each reading once", () => {
    const metrics = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`m${i}`, 21.5]));
    const at = Array.from({ length: 2_500 }, (_, second) => START_MS + second * 1_000);
    const { state, ring } = sealAtOnce(
      packed(
        now,
        at.map((instant) => ({ at: instant, metrics })),
      ),
    );
    const pieces: number[][] = [];
    for (let fromMs = START_MS; fromMs < START_MS + HOUR_MS; ) {
      const found = readHot(state, ring, "m7", fromMs, START_MS + HOUR_MS, now);
      expect(found.untilMs).toBeGreaterThan(fromMs);
      pieces.push([...found.at]);
      fromMs = found.untilMs;
    }
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.flat()).toEqual(at);
  });

  it("[D9] a single instant cannot be halved: 1,000 metrics of it are one block, and fit a message", () => {
    const values = noise(1_000);
    // 32 characters of three bytes each: the most names a block may have, at their largest.
    const metrics = Object.fromEntries(values.map((value, i) => [`${i}`.padStart(32, "温"), value]));
    const { state, ring, counts, sealed } = sealAtOnce(packed(now, [{ at: START_MS + 5, metrics }]));
    expect(counts).toEqual([1_000, 0, 0, 0, 0, 0]);
    expect(sealed).toHaveLength(1);
    expect(sealed[0]!.block.length).toBeGreaterThan(BLOCK_BYTES_MAX);
    expect(sealed[0]!.block.length).toBeLessThan(120_000);
    const [first] = readHot(state, ring, Object.keys(metrics)[0]!, START_MS, START_MS + HOUR_MS, now).value;
    expect(first).toBe(values[0]);
  });

  it("[D9] two crowded instants become two blocks, cut at the second", () => {
    const metrics = Object.fromEntries(noise(1_000).map((value, i) => [`${i}`.padStart(32, "m"), value]));
    const { sealed } = sealAtOnce(
      packed(now, [
        { at: START_MS + 5, metrics },
        { at: START_MS + 9, metrics },
      ]),
    );
    expect(sealed.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
      [START_MS, START_MS + 9],
      [START_MS + 9, START_MS + HOUR_MS],
    ]);
  });

  it("[D18] the row of a device with the largest open set fits a SQLite value of 2 MB", () => {
    const device = new FakeDevice();
    for (let hour = 0; hour < 12; hour++) {
      const reports = noise(20_000, hour).map((value, i) => ({
        at: START_MS + hour * HOUR_MS + i * 170,
        metrics: { m: value },
      }));
      device.commit(START_MS + 12 * HOUR_MS, reports);
    }
    expect(encodeState(device.state).length).toBeLessThan(200_000);
  });

  it("[D16] a flood of names is refused reading by reading, and a hundred problems are listed", () => {
    const flood = Array.from({ length: 30 }, (_, r) => ({
      at: START_MS + r,
      metrics: Object.fromEntries(Array.from({ length: 1_000 }, (_, m) => [`m${r}-${m}`, 1])),
    }));
    const { state } = new FakeDevice();
    const reports = packed(now, flood);
    const { counts, problems } = applyReports(state, reports, markTaken(state, reports), new MapRing());
    expect(counts).toEqual([1_000, 0, 0, 0, 0, 29_000]);
    expect(problems).toHaveLength(100);
  });
});
