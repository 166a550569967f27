// A series of the Numenta Anomaly Benchmark (`timestamp,value`) → reports of one device, named after the file.
import { basename } from "node:path";
import { readBytes } from "./read-bytes.ts";
import { columnsOf, numberIn, readCsv } from "./read-csv.ts";
import { deviceNameOf, type RecordedReport, type Recording } from "./recording.ts";

async function* readSeries(path: string): AsyncGenerator<RecordedReport> {
  const device = deviceNameOf(basename(path).replace(/\.csv(\.gz)?$/, ""));
  let columns: number[] | undefined;
  for await (const row of readCsv(readBytes(path))) {
    if (columns === undefined) {
      columns = columnsOf(row, ["timestamp", "value"]);
      continue;
    }
    const [timestamp, cell] = columns.map((place) => row[place]!);
    const at = Date.parse(`${timestamp!.replace(" ", "T")}Z`);
    if (Number.isNaN(at)) throw new Error(`${path}: not a timestamp: ${timestamp}`);
    const value = numberIn(cell);
    yield { device, at, arrivedAt: at, metrics: value === undefined ? {} : { value } };
  }
}

/** Rows are kept in file order: a few series repeat or turn back their clock. */
export function nab(path: string): Recording {
  return { kind: "nab", timeOrdered: false, read: () => readSeries(path) };
}
