import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NAME_PATTERN } from "../../schemas/limits.ts";
import { openRecording } from "./open-recording.ts";
import { deviceNameOf, type RecordedReport } from "./recording.ts";

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../test/fixtures/recordings/${name}`, import.meta.url));
const demoSlice = fileURLToPath(new URL("../../demo/beijing_air_slice.csv.gz", import.meta.url));

async function readAll(path: string): Promise<RecordedReport[]> {
  const reports: RecordedReport[] = [];
  for await (const report of (await openRecording(path)).read()) reports.push(report);
  return reports;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-recordings-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("Beijing air", () => {
  it("a row is a report at its hour, and NA an absent metric", async () => {
    const [, second, third] = await readAll(fixture("beijing-huairou.csv"));
    const at = Date.UTC(2013, 2, 1, 1);
    expect(second).toEqual({
      device: "Huairou",
      at,
      arrivedAt: at,
      metrics: {
        "PM2.5": 4,
        PM10: 4,
        SO2: 3,
        CO: 100,
        O3: 92,
        TEMP: -2.7,
        PRES: 1020.8,
        DEWP: -20.5,
        RAIN: 0,
        WSPM: 1.5,
      },
    });
    expect(Object.keys(third!.metrics)).not.toContain("SO2");
  });

  it("the stations of the archive move together, hour by hour, until the shorter one ends", async () => {
    const reports = await readAll(fixture("beijing-two-stations.tar.gz"));
    expect(reports.map(({ device, at }) => [device, new Date(at).getUTCHours()])).toEqual([
      ["Aotizhongxin", 0],
      ["Huairou", 0],
      ["Aotizhongxin", 1],
      ["Huairou", 1],
      ["Aotizhongxin", 2],
      ["Huairou", 2],
      ["Huairou", 3],
    ]);
  });

  it("a reader may stop early, and read again from the start", async () => {
    const recording = await openRecording(fixture("beijing-two-stations.tar.gz"));
    for (let times = 0; times < 3; times++) {
      for await (const { device } of recording.read()) {
        expect(device).toBe("Aotizhongxin");
        break;
      }
    }
  });

  it("the demo's slice has every hour of twelve stations over a fortnight", async () => {
    const reports = await readAll(demoSlice);
    expect(reports).toHaveLength(12 * 24 * 14);
    expect(new Set(reports.map(({ device }) => device)).size).toBe(12);
    expect(new Date(reports[0]!.at).toISOString()).toBe("2015-12-14T00:00:00.000Z");
    expect(reports.every(({ at }, index) => index === 0 || at >= reports[index - 1]!.at)).toBe(true);
  });
});

describe("CampusIoT", () => {
  it("an uplink is a report of the numbers its decoder gave, sent and received", async () => {
    const [decoded, , helium] = await readAll(fixture("campusiot.ndjson"));
    expect(decoded).toEqual({
      device: "ELSYS_EMS_B1C1_PERRET_SOO",
      at: 1687520266404,
      arrivedAt: 1687520266874,
      metrics: {
        accMotion: 0,
        digital: 0,
        humidity: 64,
        pulseAbs: 0,
        temperature: 28.5,
        vdd: 3611,
        waterleak: 0,
        x: -59,
        y: -20,
        z: -13,
      },
    });
    expect(helium!.device).toBe("FTD_20CBC");
    expect(Object.keys(helium!.metrics)).toEqual([
      "batteryVoltage",
      "downlinkCounter",
      "latitude",
      "longitude",
      "quality",
      "satellites",
      "temperature",
      "uplinkCounter",
    ]);
  });

  it("an uplink whose decoder had failed is read from its raw payload", async () => {
    const [, raw] = await readAll(fixture("campusiot.ndjson"));
    expect(raw!.metrics).toEqual({
      temperature: 28.4,
      humidity: 47,
      x: -57,
      y: -24,
      z: -14,
      vdd: 3585,
      pulseAbs: 0,
      digital: 0,
      accMotion: 11,
      waterleak: 0,
    });
  });

  it("an uplink of nulls is a report without metrics", async () => {
    const last = (await readAll(fixture("campusiot.ndjson"))).at(-1)!;
    expect(last.device).toBe("FTD_20CBC");
    expect(last.metrics).toEqual({});
  });

  it("a broken line is an error that names file and line", async () => {
    const path = join(folder, "broken.ndjson");
    await writeFile(
      path,
      `${(await readFile(fixture("campusiot.ndjson"), "utf8")).split("\n")[0]}\n{"name":\n`,
    );
    await expect(readAll(path)).rejects.toThrow(/broken\.ndjson line 2/);
  });
});

describe("out of order", () => {
  it("an event is a report by the phone's clock, with the arrival apart", async () => {
    const [first, second] = await readAll(fixture("out-of-order.csv"));
    expect(first).toEqual({
      device: "dev_15",
      at: 1415624019862,
      arrivedAt: 1415624021690,
      metrics: { sequence: 0, contentLength: 264, ntpOffsetMs: 800 },
    });
    expect(second!.device).toBe("dev_7");
  });
});

describe("NAB", () => {
  it("a series is one device named after its file", async () => {
    const reports = await readAll(fixture("nab-nyc_taxi.csv"));
    const at = Date.UTC(2014, 6, 1, 0, 30);
    expect(reports[1]).toEqual({ device: "nab-nyc_taxi", at, arrivedAt: at, metrics: { value: 8127 } });
  });
});

describe("openRecording", () => {
  it.each(["beijing-huairou.csv", "campusiot.ndjson", "out-of-order.csv", "nab-nyc_taxi.csv"])(
    "knows %s by its content, gzipped and under any name",
    async (name) => {
      const path = join(folder, `${name}-renamed`);
      await writeFile(path, gzipSync(await readFile(fixture(name))));
      const reports = (await readAll(path)).map(({ at, metrics }) => ({ at, metrics }));
      expect(reports).toEqual((await readAll(fixture(name))).map(({ at, metrics }) => ({ at, metrics })));
    },
  );

  it("says what it reads when the file is of none of these kinds", async () => {
    const path = join(folder, "other.csv");
    await writeFile(path, "a,b\n1,2\n");
    await expect(openRecording(path)).rejects.toThrow(/no recording this program knows.*CampusIoT/);
    await expect(openRecording(join(folder, "absent.csv"))).rejects.toThrow(
      /absent\.csv: there is no such file/,
    );
  });

  it("a file cut short is an error, not an early end", async () => {
    const whole = await readFile(demoSlice);
    const path = join(folder, "cut.csv.gz");
    await writeFile(path, whole.subarray(0, whole.length - 2000));
    await expect(readAll(path)).rejects.toThrow(`${path}: unexpected end`);
    const uplinks = gzipSync(await readFile(fixture("campusiot.ndjson")));
    await writeFile(path, uplinks.subarray(0, uplinks.length - 20));
    await expect(readAll(path)).rejects.toThrow(`${path}: unexpected end`);
  });
});

it.each([
  ["FTD 20/CBC", "FTD-20-CBC"],
  ["_internal", "d_internal"],
  ["", "d"],
  ["x".repeat(300), "x".repeat(128)],
])("the recorded name %j becomes the device name %j", (recorded, device) => {
  expect(deviceNameOf(recorded)).toBe(device);
  expect(deviceNameOf(recorded)).toMatch(NAME_PATTERN);
});
