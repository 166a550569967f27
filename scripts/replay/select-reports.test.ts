import { describe, expect, it } from "vitest";
import type { RecordedReport } from "../recordings/recording.ts";
import { collect, FAKE_START_MS, fakeRecording } from "./fake-recording.ts";
import { measureExtent, selectReports, shiftReports } from "./select-reports.ts";

const recording = fakeRecording({ devices: 2, steps: 10, stepMs: 1000 });
const select = (selection: Parameters<typeof selectReports>[1]) =>
  collect(selectReports(recording, selection));

describe("selectReports", () => {
  it("the range is half-open: from is in, to is out", async () => {
    const reports = await select({ fromMs: FAKE_START_MS + 2000, toMs: FAKE_START_MS + 4000 });
    expect(reports.map(({ at }) => at - FAKE_START_MS)).toEqual([2000, 2000, 3000, 3000]);
  });

  it("gives the devices named and no more than the limit", async () => {
    const reports = await select({ devices: ["device-1"], limit: 3 });
    expect(reports.map(({ device }) => device)).toEqual(["device-1", "device-1", "device-1"]);
    expect(await select({ devices: [] })).toEqual([]);
    expect(await select({ limit: 0 })).toEqual([]);
  });

  it("stops reading a recording in time order at the end of the range, and no other", async () => {
    let read = 0;
    async function* counted(): AsyncGenerator<RecordedReport> {
      for await (const report of recording.read()) {
        read++;
        yield report;
      }
    }
    const toMs = FAKE_START_MS + 1000;
    await collect(selectReports({ ...recording, read: counted }, { toMs }));
    expect(read).toBe(3);
    read = 0;
    await collect(selectReports({ ...recording, timeOrdered: false, read: counted }, { toMs }));
    expect(read).toBe(20);
  });

  it("leaves out reports without metrics and tells of each", async () => {
    async function* read(): AsyncGenerator<RecordedReport> {
      yield { device: "d", at: 1, arrivedAt: 1, metrics: {} };
      yield { device: "d", at: 2, arrivedAt: 2, metrics: { a: 1 } };
    }
    let empty = 0;
    const reports = await collect(selectReports({ ...recording, read }, {}, () => empty++));
    expect([reports.length, empty]).toEqual([1, 1]);
  });
});

it("the extent ends with the last arrival, and a shift by it ends the recording now", async () => {
  const extent = await measureExtent(recording.read());
  expect(extent).toEqual({ reports: 20, firstAt: FAKE_START_MS, endsAt: FAKE_START_MS + 9005 });
  const nowMs = Date.UTC(2026, 0, 1);
  const shifted = await collect(shiftReports(recording.read(), nowMs - extent.endsAt));
  expect(shifted.at(-1)).toMatchObject({ at: nowMs - 5, arrivedAt: nowMs });
});
