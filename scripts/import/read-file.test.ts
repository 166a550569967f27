import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkLine } from "../../core/job/check-import.ts";
import { type Format, formatOf, readFile } from "./read-file.ts";
import type { Columns, Row } from "./row.ts";

const AT = Date.UTC(2016, 1, 29, 6);
const COLUMNS: Columns = {
  device: undefined,
  deviceColumn: "device",
  atColumns: ["at"],
  metricColumn: "metric",
  valueColumn: "value",
  metrics: undefined,
};

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-import-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(
  name: string,
  content: string | Uint8Array,
  columns: Partial<Columns> = {},
  format: Format = formatOf(name),
): Promise<Row[]> {
  const path = join(folder, name);
  await writeFile(path, content);
  return await Array.fromAsync(readFile(path, format, { ...COLUMNS, ...columns }));
}

/** What the check takes of the rows, and the codes of what it does not. */
function checked(rows: Row[]): unknown[] {
  return rows.map(({ line, value, problem }) => {
    if (value === undefined) return [line, problem];
    const { taken, problems } = checkLine(value, line, AT + 1e9, { fromMs: 0, toMs: AT + 1e9 });
    if (taken === undefined) return [line, problems[0]?.code ?? "nothing"];
    const { device, at, names, values } = taken;
    return [
      device,
      at - AT,
      Object.fromEntries(names.map((metric, i) => [metric, values[i]])),
      ...problems.map(({ code }) => code),
    ];
  });
}

it("[S20] a CSV file with a reading a row, whatever its columns are called and in whatever order", async () => {
  const narrow = `value,metric,at,device\n1.5,a,${AT},d1\n-0,b,2016-02-29T06:00:01Z,d1\n3,a,2016-02-29 06:00:02,d2\n`;
  const expected = [
    ["d1", 0, { a: 1.5 }],
    ["d1", 1_000, { b: -0 }],
    ["d2", 2_000, { a: 3 }],
  ];
  expect(checked(await read("narrow.csv", narrow))).toEqual(expected);
  expect(checked(await read("narrow.csv.gz", gzipSync(narrow)))).toEqual(expected);
  const renamed = narrow.replace("value,metric,at,device", "v;m;time;name").replaceAll(",", ";");
  const columns = { valueColumn: "v", metricColumn: "m", atColumns: ["time"], deviceColumn: "name" };
  expect(checked(await read("renamed.csv", renamed, columns))).toEqual(expected);
  expect(checked(await read("tabs.tsv", narrow.replaceAll(",", "\t")))).toEqual(expected);
});

it("[S20] a CSV file with a metric a column: absent readings are no readings, and dates may have their parts in columns", async () => {
  const wide = `\ufeffstation,year,month,day,hour,PM2.5,temp,note\nS1,2016,2,29,6,12,NA,x\nS1,2016,2,29,7,,-3.5,y\nS2,2016,2,29,8,,,z\n`;
  const columns = {
    deviceColumn: "station",
    atColumns: ["year", "month", "day", "hour"],
    metrics: ["PM2.5", "temp"],
  };
  expect(checked(await read("wide.csv", wide, columns))).toEqual([
    ["S1", 0, { "PM2.5": 12 }],
    ["S1", 3_600_000, { temp: -3.5 }],
    [4, "nothing"],
  ]);
  const all = await read("wide.csv", wide, { ...columns, metrics: undefined });
  expect(checked(all)[0]).toEqual(["S1", 0, { "PM2.5": 12 }, "not_a_number"]);
});

it("[S20] a row that cannot be taken says which line it is, and why", async () => {
  const text = `device,at,metric,value\nd1,${AT},a,x\nd1,${AT / 1000},a,1\n,${AT},a,1\nd1,,a,1\nd1,${AT},a\nd 1,${AT},a,1\nd1,tomorrow,a,1\nd1,${AT},a,1e999\n`;
  expect(checked(await read("bad.csv", text))).toEqual([
    [2, "not_a_number"],
    [3, "at_in_seconds"],
    [4, "invalid_device"],
    [5, "at_missing"],
    [6, "the row has 3 cells, the header 4"],
    [7, "invalid_device"],
    [8, "invalid_at"],
    [9, "not_finite"],
  ]);
});

it("[S20] a missing column is named, with what there is and the option that names another", async () => {
  await expect(read("x.csv", "name,at,metric,value\nd,1,a,1\n")).rejects.toThrow(
    /no column device, only name, at.*--device-column/,
  );
  await expect(read("x.csv", "device,when,a\nd,1,1\n")).rejects.toThrow(/no column at.*--at-column/);
  await expect(read("x.csv", "device,at,a\nd,1,1\n", { metrics: ["b"] })).rejects.toThrow(
    /no column b.*--metrics/,
  );
  expect(() => formatOf("history.dat")).toThrow(/--format/);
});

it("[S20] NDJSON lines are reports, or rows of columns, and a bad line costs only itself", async () => {
  const lines = [
    `{"device":"d1","at":${AT},"metrics":{"a":1,"b":2}}`,
    `{"device":"d1","at":"2016-02-29T06:00:01Z","metric":"a","value":3}`,
    "",
    `{"device":"d1","at":${AT + 2_000},"a":4,"b":null}`,
    "nonsense",
    "[1]",
    `{"device":"d1","at":${AT + 3_000},"metrics":{"a":NaN}}`,
  ];
  expect(checked(await read("rows.ndjson", lines.join("\n")))).toEqual([
    ["d1", 0, { a: 1, b: 2 }],
    ["d1", 1_000, { a: 3 }],
    ["d1", 2_000, { a: 4 }],
    [5, expect.stringMatching(/the line is not JSON/)],
    [6, "the line is no JSON object"],
    [7, "not_finite"],
  ]);
  const named = await read("named.jsonl", `{"at":${AT},"metrics":{"a":1}}`, { device: "given" });
  expect(checked(named)).toEqual([["given", 0, { a: 1 }]]);
});

it("[S20] Parquet files, narrow and wide, with instants and integers of any kind", async () => {
  const narrow = parquetWriteBuffer({
    columnData: [
      { name: "device", data: ["d1", "d2"], type: "STRING" },
      { name: "at", data: [new Date(AT), new Date(AT + 1_000)], type: "TIMESTAMP" },
      { name: "metric", data: ["a", "b"], type: "STRING" },
      { name: "value", data: [1.5, -0], type: "DOUBLE" },
    ],
  });
  expect(checked(await read("narrow.parquet", new Uint8Array(narrow)))).toEqual([
    ["d1", 0, { a: 1.5 }],
    ["d2", 1_000, { b: -0 }],
  ]);
  const wide = parquetWriteBuffer({
    columnData: [
      { name: "at", data: [BigInt(AT), BigInt(AT + 1)], type: "INT64" },
      { name: "count", data: [7n, null], type: "INT64" },
      { name: "temp", data: [0.25, 0.5], type: "DOUBLE" },
    ],
  });
  expect(checked(await read("wide.parquet", new Uint8Array(wide), { device: "d1" }))).toEqual([
    ["d1", 0, { count: 7, temp: 0.25 }],
    ["d1", 1, { temp: 0.5 }],
  ]);
});
