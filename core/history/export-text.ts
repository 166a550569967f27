// Points of an export → lines of NDJSON or CSV.
import {
  type ExportFormat,
  type RawPoint,
  rawPoint,
  type WindowPoint,
  windowPoint,
} from "../../schemas/query.ts";

export const CONTENT_TYPES: Record<ExportFormat, string> = {
  ndjson: "application/x-ndjson",
  csv: "text/csv; charset=utf-8; header=present",
};

const RAW_FIELDS = rawPoint.keyof().options;
const WINDOW_FIELDS = windowPoint.keyof().options;

/** What stands before the points: of CSV the names of the columns. */
export function exportHead(format: ExportFormat, isRaw: boolean): string {
  if (format === "ndjson") return "";
  return `${["metric", ...(isRaw ? RAW_FIELDS : WINDOW_FIELDS)].join()}\r\n`;
}

/** Points of one metric as lines, each ended. CSV is that of RFC 4180. */
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
  const field = /[",\r\n]/.test(metric) ? `"${metric.replaceAll('"', '""')}"` : metric;
  for (const point of points) {
    const figures =
      "at" in point
        ? `${point.at},${point.value + 0}`
        : WINDOW_FIELDS.map((name) => point[name] ?? "").join();
    text.push(field, ",", figures, "\r\n");
  }
  return text.join("");
}

/** What an NDJSON export that failed ends with: no point has an `error`. */
export const exportError = (code: string, detail: string) =>
  `${JSON.stringify({ error: { code, detail } })}\n`;
