// The recordings whole, against what their publishers or the data's own README say of them.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { measureExtent, selectReports } from "../replay/select-reports.ts";
import { parseElsysPayload } from "./elsys-payload.ts";
import { openRecording } from "./open-recording.ts";
import { readBytes } from "./read-bytes.ts";

const data = fileURLToPath(new URL("../../../shared/data/", import.meta.url));
const exists = existsSync(data);
if (!exists) console.info("the whole recordings are not here (../shared/data): their tests are skipped");

const beijing = `${data}beijing_air/beijing_air.tgz`;
const tourPerret = `${data}campusiot/TourPerret_ems-tourperret-A81758FFFE04B1C1-2.ndjson.gz`;

describe.skipIf(!exists)("Beijing air, whole", () => {
  it("has 420,768 rows, and absent cells only where the file says NA", { timeout: 120_000 }, async () => {
    let rows = 0;
    let cells = 0;
    let lastAt = 0;
    let inOrder = true;
    for await (const { at, metrics } of (await openRecording(beijing)).read()) {
      rows++;
      cells += Object.keys(metrics).length;
      inOrder &&= at >= lastAt;
      lastAt = at;
    }
    expect(rows).toBe(420_768);
    // The README counts 74,027 NA; 1,822 of them are in `wd`, the wind's direction, which is no number.
    expect(rows * 11 - cells).toBe(74_027 - 1_822);
    expect(inOrder).toBe(true);
  });

  it("count, min, max and sum of a month are as expected for every station", {
    timeout: 60_000,
  }, async () => {
    const found = new Map<string, { count: number; min: number; max: number; sum: number }>();
    const month = { fromMs: Date.UTC(2013, 2), toMs: Date.UTC(2013, 3) };
    for await (const { device, metrics } of selectReports(await openRecording(beijing), month)) {
      for (const metric of ["PM2.5", "TEMP"]) {
        const value = metrics[metric];
        if (value === undefined) continue;
        const key = `${device},2013-03,${metric}`;
        const so = found.get(key) ?? { count: 0, min: Infinity, max: -Infinity, sum: 0 };
        found.set(key, {
          count: so.count + 1,
          min: Math.min(so.min, value),
          max: Math.max(so.max, value),
          sum: so.sum + value,
        });
      }
    }
    const lines = (await readFile(`${data}beijing_air/monthly_expected.csv`, "utf8")).split(/\r?\n/);
    const expected = lines.filter((line) => line.includes(",2013-03,")).map((line) => line.split(","));
    expect(expected).toHaveLength(24);
    for (const [station, name, metric, count, min, max, sum] of expected) {
      const row = found.get(`${station},${name},${metric}`);
      expect({ ...row, sum: undefined }).toEqual({
        count: Number(count),
        min: Number(min),
        max: Number(max),
      });
      expect(row!.sum).toBeCloseTo(Number(sum), 6);
    }
  });
});

describe.skipIf(!exists)("CampusIoT, whole", () => {
  it("Tour Perret has 20,351 uplinks, none without readings, lagging by -194 ms to 510 s", async () => {
    let uplinks = 0;
    let readings = 0;
    const lagMs = { min: Infinity, max: -Infinity };
    for await (const { at, arrivedAt, metrics } of (await openRecording(tourPerret)).read()) {
      uplinks++;
      readings += Object.keys(metrics).length;
      lagMs.min = Math.min(lagMs.min, arrivedAt - at);
      lagMs.max = Math.max(lagMs.max, arrivedAt - at);
    }
    expect(uplinks).toBe(20_351);
    expect(readings).toBe(203_510);
    expect(lagMs).toEqual({ min: -194, max: 510_284 });
  });

  it("the raw payload gives what the recorded decoder gave, wherever it worked", async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of readBytes(tourPerret)) chunks.push(chunk);
    let compared = 0;
    for (const line of Buffer.concat(chunks).toString().split("\n")) {
      if (line === "") continue;
      const { payload, decoded } = JSON.parse(line) as { payload: string; decoded: { payload?: object } };
      if (!decoded.payload) continue;
      expect(parseElsysPayload(payload)).toEqual(decoded.payload);
      compared++;
    }
    expect(compared).toBe(6_635);
  });

  it("Helium FTD has 16,954 uplinks, one of them without a number", async () => {
    let empty = 0;
    const recording = await openRecording(`${data}campusiot/Helium_FTD_0018B20000020.ndjson.gz`);
    const { reports } = await measureExtent(selectReports(recording, {}, () => empty++));
    expect([reports, empty]).toEqual([16_953, 1]);
  });
});

describe.skipIf(!exists)("out of order, whole", () => {
  it.each(["d-1", "d-2"])("%s is out of order by as much as expected", async (session) => {
    const expected = JSON.parse(await readFile(`${data}out_of_order/expected.json`, "utf8")) as Record<
      string,
      { events: number; late_more_than_ms: Record<string, number> }
    >;
    const { events, late_more_than_ms: lateMoreThanMs } = expected[session]!;
    const latenessMs: number[] = [];
    let newestAt = -Infinity;
    for await (const { at } of (await openRecording(`${data}out_of_order/${session}.csv.gz`)).read()) {
      latenessMs.push(newestAt - at);
      newestAt = Math.max(newestAt, at);
    }
    expect(latenessMs).toHaveLength(events);
    for (const [limitMs, count] of Object.entries(lateMoreThanMs)) {
      expect(latenessMs.filter((late) => late > Number(limitMs))).toHaveLength(count);
    }
  });
});
