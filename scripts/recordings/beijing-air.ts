// Beijing Multi-Site Air Quality (UCI 501): hourly rows of twelve stations → reports, the whole fleet hour by hour.
import { mergeByTime } from "./merge-by-time.ts";
import { listTarMembers, readBytes, readTarMember } from "./read-bytes.ts";
import { columnsOf, numberIn, readCsv } from "./read-csv.ts";
import { deviceNameOf, type RecordedReport, type Recording } from "./recording.ts";

/** The metrics of a row. `wd`, the wind's direction as text, is the one measured column left out. */
export const BEIJING_METRICS = [
  "PM2.5",
  "PM10",
  "SO2",
  "NO2",
  "CO",
  "O3",
  "TEMP",
  "PRES",
  "DEWP",
  "RAIN",
  "WSPM",
] as const;

/** Rows of one CSV file → reports. The local time of the file is taken for UTC; `NA` is an absent metric. */
export async function* readStationRows(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<RecordedReport> {
  let columns: number[] | undefined;
  for await (const row of readCsv(bytes)) {
    if (columns === undefined) {
      columns = columnsOf(row, ["year", "month", "day", "hour", "station", ...BEIJING_METRICS]);
      continue;
    }
    const [year, month, day, hour, station] = columns.slice(0, 5).map((place) => row[place]!);
    const at = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour));
    if (Number.isNaN(at)) throw new Error(`not a date and hour: ${year}-${month}-${day} ${hour}`);
    const metrics: Record<string, number> = {};
    for (const [index, metric] of BEIJING_METRICS.entries()) {
      const value = numberIn(row[columns[index + 5]!]);
      if (value !== undefined) metrics[metric] = value;
    }
    yield { device: deviceNameOf(station!), at, arrivedAt: at, metrics };
  }
}

async function* readTar(path: string): AsyncGenerator<RecordedReport> {
  const stations = (await listTarMembers(path)).filter((name) => name.endsWith(".csv")).sort();
  if (stations.length === 0) throw new Error(`${path} holds no .csv file`);
  yield* mergeByTime(stations.map((name) => readStationRows(readTarMember(path, name))));
}

/** One CSV file: a station as published, or several stations in time order, as `demo/` has it. */
export function beijingAirCsv(path: string): Recording {
  return { kind: "beijing-air", timeOrdered: true, read: () => readStationRows(readBytes(path)) };
}

/** The archive as published: a tar of one CSV file a station. */
export function beijingAirTar(path: string): Recording {
  return { kind: "beijing-air", timeOrdered: true, read: () => readTar(path) };
}
