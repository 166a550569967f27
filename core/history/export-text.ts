// Points of an export → lines of NDJSON or CSV.
import {
  type ExportFormat,
  type RawPoint,
  rawPoint,
  type WindowPoint,
  windowPoint,
} from "../../schemas/query.ts";
import { sheetName } from "./sheet-name.ts";

/** The content type of an export, by its format. */
export const CONTENT_TYPES: Record<ExportFormat, string> = {
  ndjson: "application/x-ndjson",
  csv: "text/csv; charset=utf-8; header=present",
};

/** What would end a field, for a reader of any delimiter. */
const QUOTED = /[",;|\t\r\n]/;

const RAW_FIELDS = rawPoint.keyof().options;
const WINDOW_FIELDS = windowPoint.keyof().options;

/**
 * Returns what stands before the points of an export: of CSV the line with the names of the columns, of NDJSON
 * nothing.
 */
export function exportHead(format: ExportFormat, isRaw: boolean): string {
  if (format === "ndjson") return "";
  return `${["metric", ...(isRaw ? RAW_FIELDS : WINDOW_FIELDS)].join()}\r\n`;
}

/**
 * Returns points of one metric as lines, each ended. CSV is that of RFC 4180; a figure that a point does not have is
 * an empty field. There, a name that a spreadsheet would compute stands behind an apostrophe; figures stay as they are.
 */
export function exportLines(
  format: ExportFormat,
  metric: string,
  points: readonly RawPoint[] | readonly WindowPoint[],
): string {
  const text: string[] = [];
  if (format === "ndjson") {
    const start = `{"metric":${JSON.stringify(metric)},`;
    for (const point of points) text.push(start, JSON.stringify(point).slice(1), "\n");
    return text.join("");
  }
  const field = csvField(metric);
  for (const point of points) {
    const figures =
      "at" in point
        ? `${point.at},${point.value + 0}`
        : WINDOW_FIELDS.map((name) => point[name] ?? "").join();
    text.push(field, ",", figures, "\r\n");
  }
  return text.join("");
}

/** Returns a text as a field of CSV: in quotes where it needs them, behind an apostrophe where a spreadsheet would compute it. */
export function csvField(text: string): string {
  const name = sheetName(text);
  return name !== text || QUOTED.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}

/** Returns the last line of an NDJSON export that failed: no point has an `error`. */
export const exportError = (code: string, detail: string) =>
  `${JSON.stringify({ error: { code, detail } })}\n`;
