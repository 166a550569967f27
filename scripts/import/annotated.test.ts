import { expect, it } from "vitest";
import { AT, checked, ISO, useFolder } from "./read-test-support.ts";

const { read } = useFolder();

const TYPES = "string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string";
const HEAD = ",result,table,_start,_stop,_time,_value,_field,_measurement,host";
const annotated = (
  header = HEAD,
  types = TYPES,
  group = "false,false,true,true,false,false,true,true,true",
) => [
  `#group,${group}`,
  `#datatype,${types}`,
  `#default,_result${",".repeat(header.split(",").length - 2)}`,
  header,
];
const row = (value: string, field = "temp", more = "air,k1", time = ISO) =>
  `,,0,${ISO},${ISO},${time},${value},${field},${more}`;

it("[S48] what InfluxDB answers: tables one after another, each with its header, fields as metrics and a tag as device", async () => {
  const text = [
    ...annotated(),
    row("21.5"),
    row("-1e3", "temp", "air,k1", "2016-02-29T06:00:01.123456789Z"),
    row("", "hum"),
    "",
    ...annotated(HEAD.replace("host", "device"), TYPES.replace("double", "long")),
    row("7", "count", "air,k2"),
    "",
    ",result,table,_time,_value,_field,device",
    `,,0,${ISO},+5,temp,k3`,
    "",
    "",
  ];
  for (const end of ["\n", "\r\n"]) {
    expect(checked(await read("influx.csv", text.join(end)))).toEqual([
      ["k1", 0, { temp: 21.5 }],
      ["k1", 1123, { temp: -1000 }],
      [7, "nothing"],
      ["k2", 0, { count: 7 }],
      ["k3", 0, { temp: 5 }],
    ]);
  }
  const [first] = await read("line.csv", text.slice(8).join("\n"));
  expect(first).toMatchObject({ line: 5 });
});

it("[S48] the columns may be named, and what #default says stands for an empty cell", async () => {
  const text = [
    "#datatype,string,long,dateTime:RFC3339,double,string,string",
    "#default,_result,,,,temp,k9",
    ",result,table,when,v,_field,sensor",
    `,,0,${ISO},1,,`,
    `,,0,${ISO},2,hum,k1`,
  ];
  const columns = { atColumns: ["when"], valueColumn: "v", deviceColumn: "sensor" };
  expect(checked(await read("d.csv", text.join("\n"), columns))).toEqual([
    ["k9", 0, { temp: 1 }],
    ["k1", 0, { hum: 2 }],
  ]);
  await expect(read("d.csv", text.join("\n"))).rejects.toThrow(
    /no column is called device or host, only when, v, sensor/,
  );
  await expect(read("d.csv", text.join("\n"), { device: "k" })).rejects.toThrow(/no column _time/);
});

it("[S48] fields that are no numbers are refused by line, and the others taken", async () => {
  const strings = annotated(HEAD, TYPES.replace("double", "string"));
  const booleans = annotated(HEAD, TYPES.replace("double", "boolean"));
  const text = [
    ...strings,
    row("5", "state"),
    "",
    ...booleans,
    row("true", "on"),
    "",
    ...annotated(),
    row("1"),
    row("x"),
  ];
  expect(checked(await read("types.csv", text.join("\n")))).toEqual([
    [5, "a reading is a number, and state is string in InfluxDB"],
    [11, "a reading is a number, and on is boolean in InfluxDB"],
    ["k1", 0, { temp: 1 }],
    [18, "not_a_number"],
  ]);
  const quotes = [...annotated(), row('"1'), row("2"), `,,0,${ISO}`];
  expect(checked(await read("quotes.csv", quotes.join("\n")))).toEqual([
    [5, expect.stringMatching(/cell 7 has a quote that is not closed/)],
    ["k1", 0, { temp: 2 }],
    [7, "the row has 4 cells, the header 10"],
  ]);
});

it("[S48] a pivoted answer has a column a field; texts in it are tags", async () => {
  const header = ",result,table,_time,host,temp,hum,on,note";
  const text = annotated(
    header,
    "string,long,dateTime:RFC3339,string,double,unsignedLong,boolean,string",
    "false,false,false,true,false,false,false,false",
  );
  text.push(`,,0,${ISO},k1,21.5,40,true,5`, `,,0,${ISO},k1,,41,,x`);
  expect(checked(await read("pivot.csv", text.join("\n")))).toEqual([
    ["k1", 0, { temp: 21.5, hum: 40 }, "not_a_number"],
    ["k1", 0, { hum: 41 }],
  ]);
  expect(checked(await read("pivot.csv", text.join("\n"), { metrics: ["hum"] }))[0]).toEqual([
    "k1",
    0,
    { hum: 40 },
  ]);
  const bare = [header, `,,0,${ISO},k1,21.5,40,true,5`].join("\n");
  await expect(read("bare.csv", bare)).rejects.toThrow(/no column _value.*--metrics/);
});

it("[S48] a metric of a device that is of several series is refused, unless it is said which they are", async () => {
  const text = [
    ...annotated(`${HEAD},cpu`, `${TYPES},string`, "f,f,t,t,f,f,t,t,t,t"),
    row("1", "use", "cpu,k1,cpu0"),
    row("2", "use", "cpu,k1,cpu1"),
  ];
  await expect(read("s.csv", text.join("\n"))).rejects.toThrow(
    /line 6: use of k1 is of several series, with cpu cpu1 here and cpu0 before: .*--metric-column _field,cpu/,
  );
  expect(checked(await read("s.csv", text.join("\n"), { metricColumns: ["_field", "cpu"] }))).toEqual([
    ["k1", 0, { "use.cpu0": 1 }],
    ["k1", 0, { "use.cpu1": 2 }],
  ]);
  expect(await read("s.csv", text.join("\n"), { metricColumns: ["_field"] })).toHaveLength(2);
  const measurements = [
    ...annotated(),
    row("1", "use", "cpu,k1"),
    row("2", "use", "mem,k1"),
    row("2", "use", "mem,k2"),
  ];
  await expect(read("m.csv", measurements.join("\n"))).rejects.toThrow(
    /with _measurement mem here and cpu before/,
  );
  const hosts = [...annotated(), row("1", "use", "cpu,k1"), row("2", "use", "cpu,k2")];
  expect(await read("h.csv", hosts.join("\n"))).toHaveLength(2);
  await expect(read("h.csv", hosts.join("\n"), { device: "all" })).rejects.toThrow(
    /with host k2 here and k1 before/,
  );
});

it("[S48] an error in the answer, and lines for influx write, are told", async () => {
  const error =
    "#datatype,string,string\n#group,true,true\n#default,,\n,error,reference\n,query failed,897\n";
  await expect(read("e.csv", error)).rejects.toThrow(/InfluxDB answered with an error/);
  for (const line of [
    "#datatype measurement,tag,double,dateTime:RFC3339",
    "#constant,measurement,m",
    "#datatype,measurement,double",
  ])
    await expect(read("w.csv", `${line}\nm,host,used,time\nmem,k1,64.2,${AT}\n`)).rejects.toThrow(
      /influx write/,
    );
});
