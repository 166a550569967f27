// An NDJSON file → its rows: a line is a report, or an object with the columns a CSV row would have.

import { LINE_BYTES_MAX } from "../../core/decode/csv-records.ts";
import { parseNumbers } from "../../core/decode/parse-json.ts";
import { readBytes } from "../recordings/read-bytes.ts";
import { Lines } from "./lines.ts";
import { NumberReader } from "./number-reader.ts";
import { repeatedKey } from "./repeated-key.ts";
import { atIn, type Columns, deviceIn, type Layout, type Row, rowOf } from "./row.ts";

/** @throws an Error: the file is no text in UTF-8. */
export async function* readNdjson(path: string, columns: Columns): AsyncGenerator<Row> {
  const lines = new Lines(readBytes(path));
  const numbers = new NumberReader({ takesComma: false });
  try {
    for (let next = await lines.next(); next !== undefined; next = await lines.next()) {
      const { line, text } = next;
      if (text === undefined) yield { line, problem: `the line has more than ${LINE_BYTES_MAX} bytes` };
      else if (text.trim() !== "") yield rowIn(text, line, columns, numbers);
    }
  } finally {
    await lines.close();
  }
}

function rowIn(text: string, line: number, columns: Columns, numbers: NumberReader): Row {
  let parsed: unknown;
  let written: unknown;
  try {
    ({ value: parsed, written } = parseNumbers(text));
  } catch (error) {
    return { line, problem: `the line is not JSON: ${(error as Error).message}` };
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    return { line, problem: "the line is no JSON object" };
  const twice = repeatedKey(text);
  if (twice !== undefined) return { line, problem: `the line has ${twice} twice; which of the two counts?` };
  const report = parsed as Record<string, unknown>;
  const asWritten = (written ?? parsed) as Record<string, unknown>;
  const isReport = typeof report.metrics === "object" && report.metrics !== null;
  const row = isReport
    ? {
        ...reportOf(report, line, columns),
        ...(written === undefined ? {} : { written: asWritten as Row["written"] }),
      }
    : rowOf(asWritten, layoutOf(asWritten, columns), line, numbers);
  return columns.metrics === undefined ? row : onlyMetrics(row, new Set(columns.metrics));
}

/** What else the report has stays in it, to be named as unknown. */
function reportOf(cells: Record<string, unknown>, line: number, columns: Columns): Row {
  const { deviceColumn = "device", atColumns = ["at"] } = columns;
  const rest = Object.fromEntries(
    Object.entries(cells).filter(([name]) => name !== deviceColumn && !atColumns.includes(name)),
  );
  const device = columns.device ?? deviceIn(cells[deviceColumn]);
  const value = { ...rest, device, at: atIn(cells, atColumns) } as NonNullable<Row["value"]>;
  return { line, value };
}

/** Every line has its own columns: none of them can be missing. */
function layoutOf(cells: Record<string, unknown>, columns: Columns): Layout {
  const {
    device,
    deviceColumn = "device",
    atColumns = ["at"],
    metricColumns = ["metric"],
    valueColumn = "value",
  } = columns;
  const isNarrow = [...metricColumns, valueColumn].every((name) => name in cells);
  const roles = new Set([deviceColumn, ...atColumns]);
  const metrics = isNarrow ? [] : Object.keys(cells).filter((name) => !roles.has(name));
  const shape = isNarrow ? "narrow" : "wide";
  return { shape, device, deviceColumn, atColumns, metricColumns, valueColumn, metrics, asked: new Set() };
}

function onlyMetrics(row: Row, asked: ReadonlySet<string>): Row {
  const own = Object.entries(row.value!.metrics).filter(([name]) => asked.has(name));
  const value = { ...row.value!, metrics: Object.fromEntries(own) };
  return { ...row, value, refused: row.refused?.filter(({ metric }) => asked.has(metric)) ?? [] };
}
