// What a row of a file is, and which of its columns mean what.
import { isRevision } from "../../core/job/check-import.ts";
import type { ReadingCode } from "../../schemas/codes.ts";
import type { NumberReader } from "./number-reader.ts";

/** A row as it is checked: like a report, with whatever the file had in it. */
export interface Row {
  /** From 1; in a Parquet file the row's number. */
  line: number;
  /** The integers that `value` has only rounded, as the file has them; absent: there is none. */
  written?: { metrics: Record<string, unknown> };
  /** Undefined when `problem` says why it could not be read. */
  value?: { device?: unknown; at?: unknown; revision?: number; metrics: Record<string, unknown> };
  problem?: string;
  /** Readings of the row that only the file's own format says to be none; they are not in `value`. */
  refused?: RefusedReading[];
}

export interface RefusedReading {
  metric: string;
  code: ReadingCode;
  message: string;
}

/** The columns as they were asked for; undefined: by the names that the format gives them. */
export interface Columns {
  /** The one device all rows are of, instead of a column. */
  device?: string | undefined;
  deviceColumn?: string | undefined;
  /** One column; or year, month, day and further parts, each a column. */
  atColumns?: readonly string[] | undefined;
  /** One column; or several, whose names are joined with a dot. */
  metricColumns?: readonly string[] | undefined;
  valueColumn?: string | undefined;
  /** Of a file with a column a metric only these; undefined: all that are left. */
  metrics?: readonly string[] | undefined;
  /** Of CSV: what is between cells; undefined: as the header shows. */
  delimiter?: string | undefined;
}

/**
 * How the rows of a table are read. `narrow`: a reading a row; `wide`: a column a metric. `asked`: the columns that are
 * read at all.
 */
export interface Layout {
  shape: "narrow" | "wide";
  device: string | undefined;
  deviceColumn: string;
  atColumns: readonly string[];
  metricColumns: readonly string[];
  valueColumn: string;
  metrics: readonly string[];
  asked: ReadonlySet<string>;
}

/** The parts of a date, in the order in which they may stand in columns. */
const DATE_PARTS = ["year", "month", "day", "hour", "minute", "second", "millisecond"];
const REVISION = "revision";

/** What stands for no reading. */
const ABSENT = new Set(["", "NA", "N/A", "null", "NULL", "nan", "NaN"]);
const isAbsent = (value: unknown) =>
  value === null || value === undefined || (typeof value === "string" && ABSENT.has(value.trim()));

/**
 * Finds what the columns of a header mean. A file with the metric and the value column has a reading a row, unless
 * columns are picked with --metrics; any other has a column a metric. Columns without a name are read only to refuse
 * what is in them.
 * @throws when a column is missing, there twice, asked for as two things, or there is none with readings.
 */
export function layoutOf(header: readonly string[], columns: Columns): Layout {
  const deviceColumn = columns.deviceColumn ?? "device";
  const atColumns = columns.atColumns ?? ["at"];
  const metricColumns = columns.metricColumns ?? ["metric"];
  const valueColumn = columns.valueColumn ?? "value";
  const missing = missingIn(header, columns);
  if (missing !== undefined) throw new Error(missing);
  if (atColumns.length > DATE_PARTS.length)
    throw new Error(`--at-column names at most ${DATE_PARTS.join()}; got ${atColumns.join()}`);
  const isNarrow =
    columns.metrics === undefined && [...metricColumns, valueColumn].every((name) => header.includes(name));
  const said = [...(columns.device === undefined ? [deviceColumn] : []), ...atColumns];
  if (isNarrow) said.push(...metricColumns, valueColumn);
  const isSaid = (name: string) =>
    said.includes(name) || (columns.device !== undefined && name === deviceColumn);
  const metrics = isNarrow ? [] : [...new Set(columns.metrics ?? header.filter((name) => !isSaid(name)))];
  if (!isNarrow && metrics.length === 0)
    throw new Error(`there is no column with readings, only ${listed(header)}`);
  const twice = repeated([...said, ...metrics]);
  if (twice !== undefined) throw new Error(`the column ${twice} is asked for as two things`);
  const asked = new Set([...said, ...metrics, ...(isNarrow && header.includes(REVISION) ? [REVISION] : [])]);
  const again = repeated(header.filter((name) => name !== "" && asked.has(name)));
  if (again !== undefined)
    throw new Error(
      `the column ${again} is there twice: rename one, or take it out, so that it is known which counts`,
    );
  const shape = isNarrow ? "narrow" : "wide";
  return {
    shape,
    device: columns.device,
    deviceColumn,
    atColumns,
    metricColumns,
    valueColumn,
    metrics,
    asked,
  };
}

/** The first thirty names, as a message may list them. */
export const listed = (names: readonly string[]): string =>
  names.slice(0, 30).join(", ") + (names.length > 30 ? ` and ${names.length - 30} more` : "");

function repeated(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}

/** Which column is not there and how to name another; undefined: all are. */
export function missingIn(header: readonly string[], columns: Columns): string | undefined {
  const wanted: [names: readonly string[], option: string][] = [
    [
      columns.device === undefined ? [columns.deviceColumn ?? "device"] : [],
      "--device-column, or the device with --device",
    ],
    [columns.atColumns ?? ["at"], "--at-column"],
    [columns.metricColumns ?? [], "--metric-column"],
    [columns.valueColumn === undefined ? [] : [columns.valueColumn], "--value-column"],
    [columns.metrics ?? [], "--metrics"],
  ];
  for (const [names, option] of wanted) {
    const name = names.find((own) => !header.includes(own));
    if (name !== undefined)
      return `there is no column ${name}, only ${listed(header)}; name the right one with ${option}`;
  }
  return undefined;
}

/** The columns of a row by name → the row as it is checked. */
export function rowOf(
  cells: Readonly<Record<string, unknown>>,
  layout: Layout,
  line: number,
  numbers: Pick<NumberReader, "read">,
): Row {
  const metrics: Record<string, unknown> = Object.create(null);
  const rounded: Record<string, unknown> = Object.create(null);
  const refused: RefusedReading[] = [];
  const add = (metric: string, value: unknown) => {
    if (isAbsent(value)) return;
    const read = numbers.read(metric, value);
    if ("message" in read) refused.push({ metric, code: "not_a_number", message: read.message });
    else {
      metrics[metric] = read.value;
      if (read.written !== undefined) rounded[metric] = read.written;
    }
  };
  const { shape, metricColumns, valueColumn } = layout;
  if (shape === "narrow") add(metricColumns.map((name) => textIn(cells[name])).join("."), cells[valueColumn]);
  else for (const name of layout.metrics) add(name, cells[name]);
  const value: NonNullable<Row["value"]> = {
    device: layout.device ?? deviceIn(cells[layout.deviceColumn]),
    at: atIn(cells, layout.atColumns),
    metrics,
  };
  const revision = shape === "narrow" ? revisionIn(cells[REVISION]) : undefined;
  if (revision !== undefined) value.revision = revision;
  return {
    line,
    value,
    ...(refused.length > 0 ? { refused } : {}),
    ...(Object.keys(rounded).length > 0 ? { written: { metrics: rounded } } : {}),
  };
}

/** The instant of a row, as a report may say it; undefined: it says none. */
export const atIn = (cells: Readonly<Record<string, unknown>>, names: readonly string[]): unknown =>
  names.length === 1 ? instantIn(cells[names[0]!]) : dateIn(names.map((name) => cells[name]));

const textIn = (value: unknown) => (value === null || value === undefined ? "" : String(value));

/** Names of devices have no blanks; a number is one too. */
export function deviceIn(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return typeof value === "string" ? value.trim() : value;
}

/** A revision as the archive's files have it; what else may be in a column of that name says nothing. */
function revisionIn(value: unknown): number | undefined {
  const number =
    typeof value === "string" && !/^\s*\d+\s*$/.test(value) ? undefined : Number(value ?? Number.NaN);
  return isRevision(number) ? number : undefined;
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

/**
 * Year, month, day, hour, minute, second, millisecond, as far as there are columns, in UTC: written as the text that says
 * the same, so that the same dates are refused. Undefined when all are empty.
 */
function dateIn(values: readonly unknown[]): unknown {
  const parts = values.map((value) => textIn(value).trim());
  if (parts.every((part) => part === "")) return undefined;
  const plain = parts.map((part) => /^(\d+)(?:\.0+)?$/.exec(part)?.[1]);
  if (parts.length === 6 && /^\d\d?\.\d+$/.test(parts[5]!)) plain[5] = parts[5]!;
  if (plain.includes(undefined)) return parts.join("-");
  const [year, month, day = "1", hour = "0", minute = "0", second = "0", millisecond] = plain as string[];
  const [whole, fraction] = second.split(".");
  const time = [hour, minute, whole!].map((part) => part.padStart(2, "0")).join(":");
  const date = [year, month!.padStart(2, "0"), day.padStart(2, "0")].join("-");
  const rest = millisecond?.padStart(3, "0") ?? fraction;
  return `${date}T${time}${rest === undefined ? "" : `.${rest}`}Z`;
}
