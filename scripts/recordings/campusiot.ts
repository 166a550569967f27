// CampusIoT LoRaWAN uplinks, one JSON object a line → reports.
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { parseElsysPayload } from "./elsys-payload.ts";
import { readBytes } from "./read-bytes.ts";
import { deviceNameOf, type RecordedReport, type Recording } from "./recording.ts";

interface Uplink {
  name?: string | null;
  dev_eui?: string;
  /** When the network heard the device: the nearest thing to the device's clock. */
  reported_at?: number;
  /** When the application server got it. */
  _timestamp?: number;
  payload?: string;
  decoded?: { payload?: unknown };
}

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

/** Numeric fields of a decoded payload; booleans, nulls and the recorder's own `_…` fields are left out. */
function numericFieldsOf(payload: object): Record<string, number> {
  return Object.fromEntries(
    Object.entries(payload).filter(([name, value]) => !name.startsWith("_") && isNumber(value)),
  );
}

/** One line → a report. Its metrics are empty when the payload was neither decoded nor is of a known kind. */
export function parseUplink(line: string): RecordedReport {
  const uplink = JSON.parse(line) as Uplink;
  const arrivedAt = uplink._timestamp ?? uplink.reported_at;
  const device = uplink.name || uplink.dev_eui;
  if (!isNumber(arrivedAt) || !device)
    throw new Error("an uplink without a time or without name and dev_eui");
  const decoded = uplink.decoded?.payload;
  const metrics =
    typeof decoded === "object" && decoded !== null
      ? numericFieldsOf(decoded)
      : (parseElsysPayload(uplink.payload ?? "") ?? {});
  return { device: deviceNameOf(device), at: uplink.reported_at ?? arrivedAt, arrivedAt, metrics };
}

async function* readUplinks(path: string): AsyncGenerator<RecordedReport> {
  const source = Readable.from(readBytes(path));
  const lines = createInterface({ input: source, crlfDelay: Number.POSITIVE_INFINITY });
  let failure: Error | undefined;
  source.once("error", (error: Error) => {
    failure = error; // readline ends at a failed source as at a file's end
    lines.close();
  });
  let lineNumber = 0;
  for await (const line of lines) {
    lineNumber++;
    if (line.trim() === "") continue;
    try {
      yield parseUplink(line);
    } catch (error) {
      throw new Error(`${path} line ${lineNumber}: ${(error as Error).message}`);
    }
  }
  if (failure) throw failure;
}

export function campusiot(path: string): Recording {
  return { kind: "campusiot", timeOrdered: false, read: () => readUplinks(path) };
}
