import { writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { expect, it } from "vitest";
import { formatOf, lookInto } from "./read-file.ts";
import { AT, checked, useFolder } from "./read-test-support.ts";

const { path: pathOf, read } = useFolder();

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
  const columns = { valueColumn: "v", metricColumns: ["m"], atColumns: ["time"], deviceColumn: "name" };
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

it("[S29] a file is looked into as far as its first row, and every error names it", async () => {
  const look = async (name: string, content: string | Uint8Array) => {
    const path = pathOf(name);
    await writeFile(path, content);
    return await lookInto(path, formatOf(name), {});
  };
  await look("good.csv", "device,at,metric,value\nd,1,a,1\n");
  await look("no-row.csv", "device,at,metric,value\n");
  await expect(lookInto(pathOf(""), "csv", {})).rejects.toThrow(`${pathOf("")}: it is a directory`);
  for (const [name, content, reason] of [
    ["empty.ndjson", "", "it is empty"],
    [
      "wrong.csv",
      "name,at,metric,value\nd,1,a,1\n",
      "there is no column device, only name, at, metric, value",
    ],
    ["cut.csv.gz", gzipSync("device,at,metric,value\nd,1,a,1\n").subarray(0, 30), "unexpected end of file"],
    ["no.parquet", "no parquet at all", "parquet file invalid"],
    ["latin.ndjson", Uint8Array.of(0xe4, 10), "line 1 is not UTF-8, from its byte 1 (0xe4) on"],
  ] as const)
    await expect(look(name, content)).rejects.toThrow(`${pathOf(name)}: ${reason}`);
});

it("[S42] a key that a line of NDJSON has twice is refused by name", async () => {
  const lines = [
    `{"device":"d1","at":${AT},"temp":1,"temp":2}`,
    `{"device":"d1","at":${AT},"at":${AT + 1},"temp":1}`,
    `{"device":"d1","at":${AT},"metrics":{"a":1,"\\u0061":2}}`,
    `{"device":"d1","at":${AT},"metrics":{"at":1,"device":2,"a\\"b":3,"NaN":NaN}}`,
    `{"device":"d1","at":${AT},"note":"\\"a\\":1,\\"a\\":2","a":1}`,
  ];
  expect(checked(await read("twice.ndjson", lines.join("\n"), { metrics: ["at", "device", "a"] }))).toEqual([
    [1, 'the line has "temp" twice; which of the two counts?'],
    [2, 'the line has "at" twice; which of the two counts?'],
    [3, 'the line has "a" twice; which of the two counts?'],
    ["d1", 0, { at: 1, device: 2 }],
    ["d1", 0, { a: 1 }],
  ]);
});

it("[S44] NDJSON says its names exactly, and what a report has besides comes along to be named", async () => {
  const lines = [
    `{"device":" d1 ","at":${AT},"metrics":{" a":1},"unit":"C","revision":3}`,
    `{"device":"d1","at":" ${AT} ","metric":" a","value":"2"}`,
    `{"name":7,"when":${AT},"metrics":{"a":1}}`,
    `{"device":"d1","at":${AT},"metric":null,"value":2}`,
  ];
  const rows = await read("exact.ndjson", lines.join("\n"));
  expect(checked(rows)).toEqual([
    ["d1", 0, { " a": 1 }, "revision 3", "unknown_field"],
    ["d1", 0, { " a": 2 }],
    [3, "device_missing"],
    [4, "invalid_metric_name"],
  ]);
  const columns = { deviceColumn: "name", atColumns: ["when"] };
  expect(checked(await read("named.ndjson", lines[2]!, columns))).toEqual([["7", 0, { a: 1 }]]);
  const picked = `{"device":"d1","at":${AT},"metrics":{"a":1,"b":2}}\n{"device":"d1","at":${AT},"metric":"b","value":3}`;
  expect(checked(await read("picked.ndjson", picked, { metrics: ["b"] }))).toEqual([
    ["d1", 0, { b: 2 }],
    ["d1", 0, { b: 3 }],
  ]);
});
