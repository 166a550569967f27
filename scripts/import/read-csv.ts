// A CSV file → its rows: a table with one header, or what InfluxDB answers.
import { cellsOf, DELIMITERS, nextRecord, separatorIn } from "../../core/decode/csv-records.ts";
import { nameInSheet } from "../../core/history/sheet-name.ts";
import { readBytes } from "../recordings/read-bytes.ts";
import { isAnnotated, readAnnotated } from "./annotated.ts";
import { CsvTable, readHeader } from "./csv-table.ts";
import { Lines } from "./lines.ts";
import { NumberReader } from "./number-reader.ts";
import { type Columns, layoutOf, missingIn, type Row, rowOf } from "./row.ts";

/** @throws an Error: the file is no text in UTF-8, or its header has not the columns. */
export async function* readCsv(path: string, columns: Columns): AsyncGenerator<Row> {
  const lines = new Lines(readBytes(path));
  try {
    let header = await readHeader(lines);
    const said = separatorIn(header.text);
    if (said !== undefined) header = await readHeader(lines);
    if (isAnnotated(header.text)) yield* readAnnotated(lines, header, columns);
    else yield* readTable(lines, header.text, { ...columns, delimiter: columns.delimiter ?? said });
  } finally {
    await lines.close();
  }
}

async function* readTable(lines: Lines, text: string, columns: Columns): AsyncGenerator<Row> {
  const { delimiter, header } = splitHeader(text, columns);
  const layout = layoutOf(header, columns);
  const table = new CsvTable(header, layout, delimiter);
  const numbers = new NumberReader({ takesComma: delimiter !== "," });
  for (;;) {
    const record = await nextRecord(lines, table);
    if (record === undefined) return;
    if ("problem" in record) yield record;
    else yield rowOf(table.byName(record.cells), layout, record.line, numbers);
  }
}

/**
 * One delimiter parts the whole file: the one given, else the one by which the header has the columns that are wanted, else
 * the one by which it has most.
 */
function splitHeader(text: string, columns: Columns): { delimiter: string; header: string[] } {
  const tried = (columns.delimiter === undefined ? DELIMITERS : [columns.delimiter]).flatMap((delimiter) => {
    const header = cellsOf(text, delimiter)?.map(nameInSheet);
    return header === undefined ? [] : [{ delimiter, header }];
  });
  if (tried.length === 0)
    throw new Error(
      "the header has a quote where none may be: a name with quotes in it stands in quotes, each of its own doubled",
    );
  const fitting = tried.find(({ header }) => missingIn(header, columns) === undefined);
  if (fitting !== undefined) return fitting;
  const longest = tried.reduce((a, b) => (b.header.length > a.header.length ? b : a));
  const hint = columns.delimiter === undefined ? ", or what parts the cells with --delimiter" : "";
  throw new Error(`${missingIn(longest.header, columns)}${hint}`);
}
