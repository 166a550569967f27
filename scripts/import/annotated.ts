// What InfluxDB answers (annotated CSV, of Flux) → rows. Several tables follow one another, each with its own header.
//
// docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv

import { cellsOf, nextRecord } from "../../core/decode/csv-records.ts";
import { nameInSheet } from "../../core/history/sheet-name.ts";
import { CsvTable, type TextLine } from "./csv-table.ts";
import type { Lines } from "./lines.ts";
import { NumberReader } from "./number-reader.ts";
import { type Columns, type Layout, layoutOf, listed, type Row, rowOf } from "./row.ts";

const ANNOTATION = /^#(group|datatype|default|constant|timezone|concat)\b/;
/** A header without annotations, as `annotations: []` gives it. */
const HEADER = /^([,;\t|])result\1table(\1|$)/;
/** Tags that name a device, the first that is there: Telegraf says `host`. */
const DEVICE_TAGS = ["device", "host"];
const NUMERIC = new Set(["double", "long", "unsignedLong"]);
/** Columns of every answer that are no tags. */
const OWN_COLUMNS = new Set(["", "result", "table", "_start", "_stop", "_time", "_value", "_field"]);

/** What stands before a header, by column: InfluxDB's types, whether it is of the group key, what an empty cell stands for. */
interface Annotations {
  datatype?: string[];
  group?: string[];
  default?: string[];
}

/** A table of the answer. */
interface Table {
  layout: Layout;
  csv: CsvTable;
  /** By column; undefined: the answer does not say. */
  typeOf(column: string): string | undefined;
  /** The columns that tell its series apart, besides device and metric. */
  tags: string[];
}

/** Whether a file that begins with this line is an answer of InfluxDB, or what `influx write` takes. */
export const isAnnotated = (line: string): boolean => ANNOTATION.test(line) || HEADER.test(line);

/** @throws an Error: a table has not the columns, or a metric of a device is of several series. */
export async function* readAnnotated(lines: Lines, first: TextLine, columns: Columns): AsyncGenerator<Row> {
  const delimiter = columns.delimiter ?? first.text.replace(/^#[a-z]+/, "")[0] ?? ",";
  lines.putBack([first]);
  const numbers = new NumberReader({ takesComma: false });
  const series = new Series();
  let annotations: Annotations = {};
  let table: Table | undefined;
  for (;;) {
    const next = await lines.next();
    if (next === undefined) return;
    const { line, text = "" } = next;
    const word = ANNOTATION.exec(text)?.[1];
    if (word !== undefined) {
      if (table !== undefined) annotations = {};
      table = undefined;
      annotations[annotationOf(word, text, delimiter)] = cellsOf(text, delimiter) ?? [];
    } else if (text.trim() === "" && next.text !== undefined) continue;
    else if (table === undefined || HEADER.test(text)) {
      if (table !== undefined) annotations = {};
      const header = cellsOf(text, delimiter)?.map(nameInSheet);
      if (header === undefined) throw new Error(`line ${line}, a header, has a quote that is not closed`);
      table = tableOf(header, annotations, delimiter, columns);
    } else {
      lines.putBack([next]);
      const record = (await nextRecord(lines, table.csv))!;
      if ("problem" in record) yield record;
      else yield rowIn(table, record.cells, record.line, numbers, columns, series);
    }
  }
}

function annotationOf(word: string, text: string, delimiter: string): keyof Annotations {
  const isOfWrite = word === "datatype" && /[,;\t|](measurement|tag|field|time)\b/.test(text);
  const isKnown = word === "group" || word === "datatype" || word === "default";
  if (isKnown && !isOfWrite && text[word.length + 1] === delimiter) return word;
  throw new Error(
    `${text.slice(0, 40)} is a line for influx write: take out the lines that begin with #, and say with --at-column, --device-column and --metrics what the columns are`,
  );
}

function tableOf(header: string[], annotations: Annotations, delimiter: string, columns: Columns): Table {
  if (header.includes("error") && header.includes("reference"))
    throw new Error("InfluxDB answered with an error, which is in the file, and not with all there is");
  const { datatype = [], group = [] } = annotations;
  const types = new Map(header.map((name, i) => [name, datatype[i]]));
  const valueColumn = columns.valueColumn ?? "_value";
  const isNarrow =
    columns.metrics === undefined && (columns.valueColumn !== undefined || types.has(valueColumn));
  const said: Columns = {
    ...columns,
    deviceColumn: columns.deviceColumn ?? DEVICE_TAGS.find((tag) => types.has(tag)),
    atColumns: columns.atColumns ?? ["_time"],
    ...(isNarrow ? { metricColumns: columns.metricColumns ?? ["_field"], valueColumn } : {}),
  };
  if (columns.device === undefined && said.deviceColumn === undefined)
    throw new Error(
      `no column is called ${DEVICE_TAGS.join(" or ")}, only ${listed(header.filter((name) => !OWN_COLUMNS.has(name)))}; name the device's with --device-column, or the device with --device`,
    );
  if (!isNarrow) said.metrics = columns.metrics ?? fieldsIn(header, types, said);
  const layout = layoutOf(header, said);
  const tags = header.filter(
    (name, i) =>
      !OWN_COLUMNS.has(name) &&
      !layout.asked.has(name) &&
      (isNarrow ? (datatype[i] ?? "string") === "string" : group[i] === "true"),
  );
  const read = { ...layout, asked: new Set([...layout.asked, ...tags]) };
  const csv = new CsvTable(header, read, delimiter, annotations.default);
  return { layout, csv, typeOf: (column) => types.get(column), tags };
}

/** The fields of a pivoted answer: numbers, and those that could be taken for some. Texts are tags, or no readings. */
function fieldsIn(
  header: readonly string[],
  types: ReadonlyMap<string, string | undefined>,
  said: Columns,
): string[] {
  const fields = header.filter((name) => {
    const isRole = said.atColumns!.includes(name) || name === said.deviceColumn || OWN_COLUMNS.has(name);
    return !isRole && (NUMERIC.has(types.get(name)!) || types.get(name) === "boolean");
  });
  if (fields.length === 0)
    throw new Error(
      `there is no column _value, only ${listed(header)}; name those with readings with --metrics`,
    );
  return fields;
}

function rowIn(
  { layout, csv, typeOf, tags }: Table,
  cells: readonly string[],
  line: number,
  numbers: NumberReader,
  columns: Columns,
  series: Series,
): Row {
  const named = csv.byName(cells);
  const row = rowOf(named, layout, line, {
    read(metric, value) {
      const type = typeOf(layout.shape === "narrow" ? layout.valueColumn : metric);
      if (type === undefined || NUMERIC.has(type)) return numbers.read(metric, value);
      return { message: `a reading is a number, and ${metric} is ${type} in InfluxDB` };
    },
  });
  const isSaidToBeOne = layout.shape === "narrow" ? columns.metricColumns : columns.metrics;
  if (isSaidToBeOne === undefined) series.check(row, named, tags, layout);
  return row;
}

/** Of which series each metric of a device is; bounded by how many of them the file has. */
class Series {
  readonly #tags = new Map<string, Record<string, string>>();

  /** @throws an Error when the metric came with other tags before: at one instant only one of the two would be kept. */
  check(
    { line, value }: Row,
    cells: Record<string, string>,
    tags: readonly string[],
    { shape }: Layout,
  ): void {
    for (const metric of Object.keys(value!.metrics)) {
      const id = JSON.stringify([value!.device, metric]);
      const known = this.#tags.get(id);
      if (known === undefined) {
        this.#tags.set(id, Object.fromEntries(tags.map((tag) => [tag, cells[tag]!])));
        continue;
      }
      const other = [...tags, ...Object.keys(known)].find((tag) => known[tag] !== cells[tag]);
      if (other === undefined) continue;
      const remedy =
        shape === "narrow"
          ? `tell them apart with --metric-column _field,${other}, or say that they are one with --metric-column _field`
          : `say that they are one by naming the columns with --metrics, or import them apart`;
      throw new Error(
        `line ${line}: ${metric} of ${value!.device} is of several series, with ${other} ${cells[other] ?? "none"} here and ${known[other] ?? "none"} before: ${remedy}`,
      );
    }
  }
}
