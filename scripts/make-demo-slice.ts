// The Beijing air archive → the fortnight of it that the demo fleet lives on: node scripts/make-demo-slice.ts ARCHIVE.tgz
import { writeFile } from "node:fs/promises";
import { parseArgs, promisify } from "node:util";
import { gzip } from "node:zlib";
import { runCommand, UsageError } from "./command/run-command.ts";
import { BEIJING_METRICS } from "./recordings/beijing-air.ts";
import { openRecording } from "./recordings/open-recording.ts";
import type { RecordedReport } from "./recordings/recording.ts";
import { selectReports } from "./replay/select-reports.ts";

const USAGE = `usage: node scripts/make-demo-slice.ts beijing_air.tgz

Writes demo/beijing_air_slice.csv.gz anew: the fortnight of the archive that the demo fleet lives on.`;

const OPTIONS = { help: { type: "boolean", short: "h", default: false } } as const;

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

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const [archive, ...more] = positionals;
  if (archive === undefined || more.length > 0) throw new UsageError("name one archive");
  const lines = [HEADER];
  const recording = await openRecording(archive);
  for await (const report of selectReports(recording, { fromMs: FROM_MS, toMs: TO_MS }))
    lines.push(lineOf(report));
  if (lines.length === 1) throw new Error(`${archive} has no report of the fortnight; nothing is written`);
  const packed = await promisify(gzip)(`${lines.join("\n")}\n`, { level: 9 });
  await writeFile(SLICE, packed);
  console.log(
    `${SLICE.pathname.split("/").slice(-2).join("/")}: ${lines.length - 1} rows, ${packed.length} bytes`,
  );
  return 0;
}

runCommand(USAGE, main);
