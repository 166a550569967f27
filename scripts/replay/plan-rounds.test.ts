import { describe, expect, it } from "vitest";
import type { RecordedReport } from "../recordings/recording.ts";
import { collect, fakeRecording } from "./fake-recording.ts";
import { planBatches, planRounds } from "./plan-rounds.ts";

const HOUR_MS = 3_600_000;

describe("planRounds", () => {
  it("cuts at the recorded hour, whatever the lanes could carry", async () => {
    const recording = fakeRecording({ devices: 3, steps: 8, stepMs: HOUR_MS / 4 });
    const rounds = await collect(
      planRounds(recording.read(), { lanes: 2, batchReports: 1000, spanMs: HOUR_MS }),
    );
    expect(rounds).toHaveLength(2);
    for (const { lanes } of rounds) expect(lanes.flat().flatMap(({ reports }) => reports)).toHaveLength(12);
  });

  it("cuts at what all lanes can carry, whatever the hour, so memory is bounded", async () => {
    const recording = fakeRecording({ devices: 4, steps: 25, stepMs: 1 });
    const rounds = await collect(
      planRounds(recording.read(), { lanes: 2, batchReports: 10, spanMs: HOUR_MS }),
    );
    const sizes = rounds.map(({ lanes }) => lanes.flat().flatMap(({ reports }) => reports).length);
    expect(sizes).toEqual([20, 20, 20, 20, 20]);
    for (const { lanes } of rounds)
      for (const batch of lanes.flat()) expect(batch.reports.length).toBeLessThanOrEqual(10);
  });

  it("keeps each device in one lane and in order, and loses nothing", async () => {
    const recording = fakeRecording({ devices: 7, steps: 30, stepMs: 20 * 60_000 });
    const rounds = await collect(
      planRounds(recording.read(), { lanes: 3, batchReports: 4, spanMs: HOUR_MS }),
    );
    const seen = new Map<string, number[]>();
    for (const { lanes } of rounds) {
      const laneOf = new Map<string, number>();
      for (const [lane, batches] of lanes.entries()) {
        for (const { device, at } of batches.flatMap(({ reports }) => reports)) {
          expect(laneOf.get(device) ?? lane).toBe(lane);
          laneOf.set(device, lane);
          seen.set(device, [...(seen.get(device) ?? []), at]);
        }
      }
    }
    expect(seen.size).toBe(7);
    for (const instants of seen.values()) {
      expect(instants).toHaveLength(30);
      expect(instants).toEqual([...instants].sort((a, b) => a - b));
    }
  });

  it("a recording whose arrivals go back starts a new round", async () => {
    const arrivals = [0, HOUR_MS, 0].map(
      (arrivedAt): RecordedReport => ({ device: "d", at: 1, arrivedAt, metrics: { a: 1 } }),
    );
    async function* read() {
      yield* arrivals;
    }
    expect(await collect(planRounds(read(), { lanes: 1, batchReports: 10, spanMs: HOUR_MS }))).toHaveLength(
      3,
    );
  });
});

describe("planBatches", () => {
  const report = (name: string): RecordedReport => ({
    device: "d",
    at: 1,
    arrivedAt: 2,
    metrics: { [name]: 1 },
  });

  it("a body is NDJSON of what the contract takes", () => {
    const [batch] = planBatches([report("a"), report("b")], 10);
    const lines = '{"device":"d","at":1,"metrics":{"a":1}}\n{"device":"d","at":1,"metrics":{"b":1}}\n';
    expect(batch).toMatchObject({ body: lines, newestArrivedAt: 2 });
  });

  it("a body stays below a mebibyte", () => {
    const reports = Array.from({ length: 30 }, () => report("x".repeat(100_000)));
    const batches = planBatches(reports, 1000);
    expect(batches.map(({ reports }) => reports.length)).toEqual([10, 10, 10]);
  });
});
