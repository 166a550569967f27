// The demo's recording → the small files that the README imports: node scripts/make-import-examples.ts
import { writeFile } from "node:fs/promises";
import { parquetWriteBuffer } from "hyparquet-writer";
import { openRecording } from "./recordings/open-recording.ts";
import { selectReports } from "./replay/select-reports.ts";

const DEMO = new URL("../demo/", import.meta.url).pathname;
/** Five days of the recording. */
const FROM_MS = Date.UTC(2015, 11, 14);
const TO_MS = FROM_MS + 5 * 86_400_000;
const HISTORY = { device: "Dongsi", metrics: ["PM2.5", "PM10", "TEMP", "WSPM"] };
/** The recording's name of each column. */
const WEATHER = {
  device: "Huairou",
  columns: { temperature: "TEMP", dew_point: "DEWP", pressure: "PRES", rain: "RAIN", wind: "WSPM" },
};

async function reportsOf(device: string) {
  const recording = await openRecording(`${DEMO}beijing_air_slice.csv.gz`);
  const selection = { fromMs: FROM_MS, toMs: TO_MS, devices: [device] };
  return await Array.fromAsync(selectReports(recording, selection));
}

/** A reading a row. */
async function historyCsv(): Promise<string> {
  const rows = (await reportsOf(HISTORY.device)).flatMap(({ device, at, metrics }) =>
    HISTORY.metrics
      .filter((metric) => metric in metrics)
      .map((metric) => [device, new Date(at).toISOString(), metric, metrics[metric]].join(",")),
  );
  return `${["device,at,metric,value", ...rows].join("\n")}\n`;
}

/** A metric a column, of one device that the file does not name. */
async function weatherParquet(): Promise<Uint8Array> {
  const reports = await reportsOf(WEATHER.device);
  const bytes = parquetWriteBuffer({
    columnData: [
      { name: "time", data: reports.map(({ at }) => new Date(at)), type: "TIMESTAMP" },
      ...Object.entries(WEATHER.columns).map(([name, metric]) => ({
        name,
        data: reports.map(({ metrics }) => metrics[metric] ?? null),
        type: "DOUBLE" as const,
      })),
    ],
  });
  return new Uint8Array(bytes);
}

await writeFile(`${DEMO}history.csv`, await historyCsv());
await writeFile(`${DEMO}weather.parquet`, await weatherParquet());
