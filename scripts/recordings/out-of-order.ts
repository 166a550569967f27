// OoO-Dataset: events of phones over a mobile network, in order of arrival → reports.
import { readBytes } from "./read-bytes.ts";
import { columnsOf, numberIn, readCsv } from "./read-csv.ts";
import { deviceNameOf, type RecordedReport, type Recording } from "./recording.ts";

/** `at` is the detection time: the phone's own clock, and the one by which `expected.json` counts disorder. */
const COLUMNS = [
  "C.Device.ID",
  "S.Client.Detection.Time",
  "S.Message.received.time.ms",
  "C.Message.ID",
  "S.Http.Content.Length",
  "C.NTP.offset",
];

async function* readEvents(path: string): AsyncGenerator<RecordedReport> {
  let columns: number[] | undefined;
  for await (const row of readCsv(readBytes(path), ";")) {
    if (columns === undefined) {
      columns = columnsOf(row, COLUMNS);
      continue;
    }
    const [device, ...cells] = columns.map((place) => row[place]!);
    const [at, arrivedAt, sequence, contentLength, ntpOffsetMs] = cells.map(numberIn);
    if (!device || at === undefined || arrivedAt === undefined) {
      throw new Error(`${path}: an event without device or time: ${row.slice(0, 14).join(";")}`);
    }
    const values = Object.entries({ sequence, contentLength, ntpOffsetMs });
    const metrics = Object.fromEntries(
      values.filter((entry): entry is [string, number] => entry[1] !== undefined),
    );
    yield { device: deviceNameOf(device), at, arrivedAt, metrics };
  }
}

export function outOfOrder(path: string): Recording {
  return { kind: "out-of-order", timeOrdered: false, read: () => readEvents(path) };
}
