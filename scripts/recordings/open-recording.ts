// A file → the recording in it, recognised by its content.
import { aboutFile, checkFile } from "../command/file.ts";
import { beijingAirCsv, beijingAirTar } from "./beijing-air.ts";
import { campusiot } from "./campusiot.ts";
import { nab } from "./nab.ts";
import { outOfOrder } from "./out-of-order.ts";
import { readBytes } from "./read-bytes.ts";
import type { Recording } from "./recording.ts";

/** Where a tar header says `ustar` (POSIX.1-1988). */
const TAR_MAGIC_AT_BYTES = 257;
const OPENING_BYTES = 2048;

async function readOpening(path: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of readBytes(path)) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= OPENING_BYTES) break;
  }
  return Buffer.concat(chunks).toString("latin1", 0, OPENING_BYTES);
}

/** Errors of the file, here and while it is read, name it. @throws when it cannot be read, or is of none of the known kinds. */
export async function openRecording(path: string): Promise<Recording> {
  await checkFile(path);
  try {
    const recording = await recognise(path);
    return { ...recording, read: () => naming(path, recording.read()) };
  } catch (error) {
    throw aboutFile(path, error);
  }
}

async function* naming<T>(path: string, items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw aboutFile(path, error);
  }
}

async function recognise(path: string): Promise<Recording> {
  const opening = await readOpening(path);
  if (opening.startsWith("ustar", TAR_MAGIC_AT_BYTES)) return beijingAirTar(path);
  const header = (opening.split(/\r?\n/, 1)[0] ?? "").replace(/^\u00ef\u00bb\u00bf/, "").replaceAll('"', "");
  if (header.startsWith("{")) return campusiot(path);
  if (header.startsWith("S.Message.received.time;")) return outOfOrder(path);
  if (header === "timestamp,value") return nab(path);
  const columns = header.split(",");
  if (["year", "month", "day", "hour", "station"].every((name) => columns.includes(name)))
    return beijingAirCsv(path);
  throw new Error(
    `${path} is no recording this program knows: it reads the Beijing air archive or one of its CSV files, ` +
      "CampusIoT uplinks (NDJSON), an OoO-Dataset CSV file and a NAB series, each plain or gzipped",
  );
}
