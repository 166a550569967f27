// The Beijing air archive → the fortnight of it that the demo fleet lives on: node scripts/make-demo-slice.ts ARCHIVE.tgz
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { BEIJING_METRICS } from "./recordings/beijing-air.ts";
import { openRecording } from "./recordings/open-recording.ts";
import type { RecordedReport } from "./recordings/recording.ts";
import { selectReports } from "./replay/select-reports.ts";

/**
 * December 2015: two red alerts for smog, clean north wind between them, sleet, frost and sensors that fail.
 * A whole number of days from midnight on, so that the demo can repeat it and keep the hour of the day.
 */
const FROM_MS = Date.UTC(2015, 11, 14);
const TO_MS = FROM_MS + 14 * 86_400_000;
const SLICE = new URL("../demo/beijing_air_slice.csv.gz", import.meta.url);

const HEADER = ["year", "month", "day", "hour", ...BEIJING_METRICS, "station"].join(",");

function lineOf({ device, at, metrics }: RecordedReport): string {
  const hour = new Date(at);
  const instant = [hour.getUTCFullYear(), hour.getUTCMonth() + 1, hour.getUTCDate(), hour.getUTCHours()];
  return [...instant, ...BEIJING_METRICS.map((metric) => metrics[metric] ?? "NA"), device].join(",");
}

const archive = process.argv[2];
if (archive === undefined) {
  console.error("usage: node scripts/make-demo-slice.ts beijing_air.tgz");
  process.exit(2);
}
const lines = [HEADER];
const recording = await openRecording(archive);
for await (const report of selectReports(recording, { fromMs: FROM_MS, toMs: TO_MS }))
  lines.push(lineOf(report));
const packed = await promisify(gzip)(`${lines.join("\n")}\n`, { level: 9 });
await writeFile(SLICE, packed);
console.log(
  `${SLICE.pathname.split("/").slice(-2).join("/")}: ${lines.length - 1} rows, ${packed.length} bytes`,
);
