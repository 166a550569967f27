// What a row of a file is, and which of its columns mean what.

/** A row as it is checked: like a report, with whatever the file had in it. */
export interface Row {
  /** From 1; in a Parquet file the row's number. */
  line: number;
  /** Undefined when `problem` says why it could not be read. */
  value?: { device?: unknown; at?: unknown; metrics: Record<string, unknown> };
  problem?: string;
}

export interface Columns {
  /** The one device all rows are of, instead of a column. */
  device: string | undefined;
  deviceColumn: string;
  /** One column; or year, month, day and further parts, each a column. */
  atColumns: readonly string[];
  metricColumn: string;
  valueColumn: string;
  /** Of a wide file only these columns; undefined: all that are left. */
  metrics: readonly string[] | undefined;
}

/** What stands for no reading. */
const ABSENT = new Set(["", "NA", "N/A", "null", "NULL", "nan", "NaN"]);
const isAbsent = (value: unknown) =>
  value === null || value === undefined || (typeof value === "string" && ABSENT.has(value.trim()));

/** A file with a metric and a value column has a reading a row; any other has a column a metric. @throws when a column is missing. */
export function shapeOf(header: readonly string[], columns: Columns): "narrow" | "wide" {
  const need = (name: string, option: string) => {
    if (!header.includes(name))
      throw new Error(
        `there is no column ${name}, only ${header.join(", ")}; name the right one with ${option}`,
      );
  };
  if (columns.device === undefined)
    need(columns.deviceColumn, "--device-column, or the device with --device");
  for (const name of columns.atColumns) need(name, "--at-column");
  for (const name of columns.metrics ?? []) need(name, "--metrics");
  return header.includes(columns.metricColumn) && header.includes(columns.valueColumn) ? "narrow" : "wide";
}

/** The columns of a row by name → the row as it is checked. */
export function rowOf(
  cells: Record<string, unknown>,
  shape: "narrow" | "wide",
  columns: Columns,
  line: number,
): Row {
  const device = columns.device ?? cells[columns.deviceColumn];
  const at =
    columns.atColumns.length === 1
      ? instantIn(cells[columns.atColumns[0]!])
      : dateIn(cells, columns.atColumns);
  const metrics: Record<string, unknown> = Object.create(null);
  const add = (name: string, value: unknown) => {
    if (!isAbsent(value)) metrics[name] = numberIn(value);
  };
  if (shape === "narrow") add(String(cells[columns.metricColumn]), cells[columns.valueColumn]);
  else {
    const taken = new Set([columns.deviceColumn, ...columns.atColumns]);
    for (const name of columns.metrics ?? Object.keys(cells)) if (!taken.has(name)) add(name, cells[name]);
  }
  return { line, value: { device, at, metrics } };
}

/** As a report may say it: a number, or ISO 8601; "2013-03-01 06:00" is that with a space. */
function instantIn(value: unknown): unknown {
  if (value instanceof Date) return value.getTime();
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "string") return value ?? undefined;
  const text = value.trim();
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  return text === "" ? undefined : text.replace(/^(\d{4}-\d\d-\d\d) (?=\d)/, "$1T");
}

/** Year, month, day, hour, minute, second, as far as there are columns, in UTC. */
function dateIn(cells: Record<string, unknown>, names: readonly string[]): unknown {
  const [year, month, ...rest] = names.map((name) => Number(cells[name]));
  const at = Date.UTC(year!, month! - 1, ...(rest as [number]));
  return Number.isNaN(at) ? names.map((name) => cells[name]).join("-") : at;
}

/** Text that is a number as a number; what is not goes to the check as it is, which says so. */
function numberIn(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "string") return value;
  const number = Number(value);
  return Number.isNaN(number) ? value : number;
}
