import { expect, it } from "vitest";
import { exportHead, exportLines } from "../../core/history/export-text.ts";
import { AT, checked, ISO, useFolder } from "./read-test-support.ts";

const { read } = useFolder();

it("[S40] one delimiter parts a file, the one by which its header has the columns that are wanted", async () => {
  const semicolons = `device;at;Temperatur, Grad;Feuchte\nk1;${ISO};21,5;40\n`;
  const expected = [["k1", 0, { "Temperatur, Grad": 21.5, Feuchte: 40 }]];
  expect(checked(await read("a.csv", semicolons))).toEqual(expected);
  expect(checked(await read("many.csv", `at;a, b, c, d\n${ISO};1\n`, { device: "k1" }))).toEqual([
    ["k1", 0, { "a, b, c, d": 1 }],
  ]);
  for (const delimiter of [",", ";", "\t", "|"]) {
    const others = [",", ";", "|"].filter((other) => other !== delimiter).join("");
    const name = delimiter === "\t" ? "a.tsv" : "a.csv";
    const text = ["device", "at", `a${others}b`, `"${others} or ${delimiter.trim()}"`].join(delimiter);
    expect(checked(await read(name, `${text}\n${["k1", ISO, "1", "2"].join(delimiter)}\n`))).toEqual([
      ["k1", 0, { [`a${others}b`]: 1, [`${others} or ${delimiter.trim()}`.trim()]: 2 }],
    ]);
  }
  const odd = "device:at:temp\nk1:1456725600000:5\n";
  await expect(read("odd.csv", odd)).rejects.toThrow(/no column device, only device:at:temp; .*--delimiter/);
  expect(checked(await read("odd.csv", odd, { delimiter: ":" }))).toEqual([["k1", 0, { temp: 5 }]]);
});

it("[S40] a mark before the text, Excel's first line, every kind of line end and blank lines are taken, with their lines counted", async () => {
  const lines = ["sep=;", "device;at;temp", "", `k1;${ISO};1`, "  ", `k1;${AT + 1};x`];
  for (const end of ["\n", "\r\n", "\r"]) {
    const rows = checked(await read("ends.csv", `\ufeff${lines.join(end)}${end}`));
    expect(rows).toEqual([
      ["k1", 0, { temp: 1 }],
      [6, "not_a_number"],
    ]);
    expect(checked(await read("ends.csv", lines.join(end)))).toEqual(rows);
  }
  for (const [said, delimiter] of [
    ["sep=\t", "\t"],
    ["sep=\\t", "\t"],
    ['"sep=|"', "|"],
  ] as const) {
    const text = [said, ["device", "at", "a"].join(delimiter), ["k1", ISO, "1"].join(delimiter)].join("\r\n");
    expect(checked(await read("said.csv", text))).toEqual([["k1", 0, { a: 1 }]]);
  }
});

it("[S40] a row with fewer or more cells than the header is refused by its line", async () => {
  const rows = ["k1;1;2", `k1;${ISO};1;2`, `k1;${ISO};1;2;3`, `k1;${ISO};;2`, "k1"];
  expect(checked(await read("rows.csv", ["device;at;a;b", ...rows].join("\n")))).toEqual([
    [2, "the row has 3 cells, the header 4"],
    ["k1", 0, { a: 1, b: 2 }],
    [4, "the row has 5 cells, the header 4"],
    ["k1", 0, { b: 2 }],
    [6, "the row has 1 cells, the header 4"],
  ]);
});

it("[S41] a decimal comma is a comma where none parts cells, and what may part thousands is refused", async () => {
  const rows = async (delimiter: string, ...cells: string[]) => {
    const text = cells.map((cell, i) => ["k1", String(AT + i), cell].join(delimiter));
    const all = await read("n.csv", [["device", "at", "a"].join(delimiter), ...text].join("\n"));
    return all.map(({ value, refused }) => refused?.[0]?.message ?? value!.metrics.a);
  };
  expect(await rows(";", "21,5", "-0,25", "+,5", "1,5e3", "1,234", "7", "8,")).toEqual([
    21.5, -0.25, 0.5, 1500, 1.234, 7, 8,
  ]);
  for (const text of ["1.234,5", "1,234.5", "1,234,567", "1.234.567", "1 234,5", "1\u00a0234", "1'234"])
    expect(await rows(";", text)).toEqual([expect.stringMatching(/nothing between thousands; got "1/)]);
  expect(await rows(",", '"21,5"', '"1,234"', "21.5")).toEqual([
    expect.stringMatching(/decimal point and nothing between thousands; got "21,5"/),
    expect.stringMatching(/got "1,234"/),
    21.5,
  ]);
  // Beside a decimal comma a point may part thousands, and the other way about.
  expect(await rows(";", "21,5", "1.234", "22,5")).toEqual([
    21.5,
    expect.stringMatching(/"1.234" has a point/),
    22.5,
  ]);
  expect(await rows("\t", "21.5", "1,234")).toEqual([21.5, expect.stringMatching(/"1,234" has a comma/)]);
  // Of each metric by itself.
  const mixed = await read("m.csv", `device;at;lat;temp\nk1;${AT};52.5;21,5\nk1;${AT};52.6;21,6\n`);
  expect(checked(mixed).map((row) => (row as unknown[])[2])).toEqual([
    { lat: 52.5, temp: 21.5 },
    { lat: 52.6, temp: 21.6 },
  ]);
});

it("[S42] a column that is asked for and there twice is refused by name, and so is one asked for as two things", async () => {
  const twice = (name: string) => new RegExp(`the column ${name} is there twice`);
  for (const [header, name] of [
    ["device,at,temp,temp", "temp"],
    ["device,at,temp, temp ", "temp"],
    ['device,at,temp,"temp"', "temp"],
    ["device,at,metric,value,value", "value"],
    ["device,at,metric,metric,value", "metric"],
    ["device,at,at,temp", "at"],
    ["device,device,at,temp", "device"],
  ] as const)
    await expect(read("twice.csv", `${header}\n`), header).rejects.toThrow(twice(name));
  const others = `device,at,note,note,temp\nk1,${ISO},a,b,5\n`;
  expect(checked(await read("others.csv", others, { metrics: ["temp"] }))).toEqual([["k1", 0, { temp: 5 }]]);
  expect(checked(await read("tail.csv", `device;at;a;;\nk1;${ISO};1;;\nk1;${ISO};1;;9\n`))).toEqual([
    ["k1", 0, { a: 1 }],
    ["k1", 0, { a: 1 }, "invalid_metric_name"],
  ]);
  const columns = { deviceColumn: "at" };
  await expect(read("roles.csv", `at,a\n${ISO},1\n`, columns)).rejects.toThrow(
    /at is asked for as two things/,
  );
  const metrics = { metrics: ["at", "a"] };
  await expect(read("roles.csv", `device,at,a\nk1,${ISO},1\n`, metrics)).rejects.toThrow(/as two things/);
  await expect(read("none.csv", `at\n${ISO}\n`, { device: "k1" })).rejects.toThrow(/no column with readings/);
});

it("[S43] a date in columns is checked as the text that says the same", async () => {
  const names = ["year", "month", "day", "hour", "minute", "second"];
  const dates = async (parts: number, ...cells: string[]) => {
    const text = [["device", ...names.slice(0, parts), "a"], ...cells.map((row) => ["k1", row, "1"])];
    const columns = { atColumns: names.slice(0, parts) };
    return checked(await read("d.csv", text.map((row) => row.join()).join("\n"), columns)).map((row) => {
      const [first, second] = row as [unknown, number];
      return first === "k1" ? new Date(AT + second).toISOString() : second;
    });
  };
  const bad = [
    "2015,4,31,1,1",
    "2015,2,29,1,1",
    "2015,13,1,1,1",
    "2015,0,1,1,1",
    "2015,4,0,1,1",
    "2015,4,1,25,1",
  ];
  const worse = ["2015,4,1,1,60", "2015,4,1,1,75", "2015,4,,1,1", "2015,,1,1,1", ",4,1,1,1", "2015,4,1,1,"];
  const worst = [
    "2015,4,1.5,1,1",
    "2015,4,-1,1,1",
    "15,4,1,1,1",
    "02015,4,1,1,1",
    "2015,4,1,1,x",
    "2015,4,1,1e0,1",
  ];
  for (const row of [...bad, ...worse, ...worst]) expect(await dates(5, row), row).toEqual(["invalid_at"]);
  expect(await dates(5, ",,,,", " , ,, ,")).toEqual(["at_missing", "at_missing"]);
  expect(await dates(5, "2015, 04 ,7,08,9", "2016,2,29,0,0", "2016.0,2.0,29.0,6.0,0.0")).toEqual([
    "2015-04-07T08:09:00.000Z",
    "2016-02-29T00:00:00.000Z",
    "2016-02-29T06:00:00.000Z",
  ]);
  expect(await dates(6, "2015,4,7,8,9,59", "2015,4,7,8,9,5.25", "2015,4,7,8,9,61")).toEqual([
    "2015-04-07T08:09:59.000Z",
    "2015-04-07T08:09:05.250Z",
    "invalid_at",
  ]);
  expect(await dates(2, "2015,4", "2015,0")).toEqual(["2015-04-01T00:00:00.000Z", "invalid_at"]);
  const eight = Array.from("abcdefgh");
  await expect(read("e.csv", `device,${eight},m\n`, { atColumns: eight })).rejects.toThrow(
    /--at-column names at most/,
  );
});

it("[S44] names and cells are taken without the blanks around them, of any kind", async () => {
  const wide = ` device , at ,\u00a0temp , "hum" \n k1 , ${ISO}\u00a0, 21.5 , "40" \n`;
  expect(checked(await read("pad.csv", wide))).toEqual([["k1", 0, { temp: 21.5, hum: 40 }]]);
  const narrow = `device,at,metric,value\nk1,${ISO}, temp\u00a0, 1 \n"k1 ","${ISO} ","temp  "," 2"\n\tk1,${ISO},\ttemp,3\n`;
  expect(checked(await read("pad.csv", narrow))).toEqual([1, 2, 3].map((temp) => ["k1", 0, { temp }]));
});

it("[S44] a file that is not UTF-8 is refused, with the line and the byte, or as what it is", async () => {
  const latin = Buffer.from(`device,at,Temp °C\nk1,${ISO},1\n`, "latin1");
  await expect(read("latin.csv", latin)).rejects.toThrow(
    /latin.csv: line 1 is not UTF-8, from its byte 16 \(0xb0\) on: .*iconv/,
  );
  const later = Buffer.from(`device,at,metric,value\nk1,${ISO},a,1\nk1,${ISO},\ufffd °C,1\n`, "latin1");
  const good = Buffer.from(`device,at,metric,value\r\nk1,${ISO},\ufffd,1\r\nk1,${ISO},`);
  await expect(read("later.csv", later)).rejects.toThrow(/line 3 is not UTF-8, from its byte 25 \(0xfd\)/);
  await expect(read("mark.csv", Buffer.concat([good, Buffer.from("°C,1", "latin1")]))).rejects.toThrow(
    /line 3 is not UTF-8, from its byte 25 \(0xb0\)/,
  );
  await expect(read("latin.ndjson", latin)).rejects.toThrow(/line 1 is not UTF-8/);
  const text = `device,at,a\nk1,${ISO},1\n`;
  const little = Buffer.from(`\ufeff${text}`, "utf16le");
  await expect(read("16.csv", little)).rejects.toThrow(/it is UTF-16.*iconv -f UTF-16 -t UTF-8/);
  await expect(read("16.csv", Buffer.from(little).swap16())).rejects.toThrow(/it is UTF-16/);
  await expect(read("16.csv", little.subarray(2))).rejects.toThrow(/zero bytes/);
  const wide = Uint32Array.from(`\ufeff${text}`, (character) => character.charCodeAt(0));
  await expect(read("32.csv", new Uint8Array(wide.buffer))).rejects.toThrow(/it is UTF-32/);
});

it("[S45] a quote where none may be, or that is not closed, costs its own line", async () => {
  const row = (i: number) => `k1,${AT + i},temp,${i}`;
  const rows = [row(1), `k1,${AT},"temp,2`, row(3), `k1,${AT},te"mp,4`, row(5), `k1,${AT},"te"mp,6`, row(7)];
  const text = ["device,at,metric,value", ...rows, `k1,${AT},"te""mp",8`, `k1,${AT},"temp,9`].join("\n");
  expect(checked(await read("quotes.csv", text))).toEqual([
    ["k1", 1, { temp: 1 }],
    [3, expect.stringMatching(/cell 3 has a quote that is not closed/)],
    ["k1", 3, { temp: 3 }],
    [5, expect.stringMatching(/cell 3 has a quote where none may be/)],
    ["k1", 5, { temp: 5 }],
    [7, expect.stringMatching(/cell 3 has a quote where none may be/)],
    ["k1", 7, { temp: 7 }],
    ["k1", 0, { 'te"mp': 8 }],
    [10, expect.stringMatching(/cell 3 has a quote that is not closed/)],
  ]);
});

it("[S45] between two stray quotes no row is swallowed, and a cell in quotes may yet go over lines", async () => {
  const strays = [`k1,${AT},"21`, `k1,${AT + 1},22`, `k1,${AT + 2},23"`, `k1,${AT + 3},24`];
  expect(checked(await read("pair.csv", ["device,at,a", ...strays].join("\n")))).toEqual([
    [2, expect.stringMatching(/not closed/)],
    ["k1", 1, { a: 22 }],
    [4, expect.stringMatching(/where none may be/)],
    ["k1", 3, { a: 24 }],
  ]);
  const notes = `device,at,a,note\r\nk1,${AT},1,"first\r\n\r\nsecond, ""third""\r\n"\r\nk1,${AT + 1},2,x\r\n`;
  for (const metrics of [["a"], undefined])
    expect(
      checked(await read("notes.csv", notes, { metrics })).map((row) => (row as unknown[]).slice(0, 3)),
    ).toEqual([
      ["k1", 0, { a: 1 }],
      ["k1", 1, { a: 2 }],
    ]);
  const named = await read("named.csv", `device,at,"temp\nC"\nk1,${AT},x\n`);
  expect(named).toMatchObject([{ line: 3 }]);
});

it("[S46] of CSV, columns that were not asked for may have any quotes, as long as the row has its cells", async () => {
  const rows = [
    `k1,${AT},5" pipe,1`,
    `k1,${AT},"5" pipe",2`,
    `k1,${AT},"open,3`,
    `k1,${AT},"a, b"c",4`,
    `k1,${AT},x,"5`,
  ];
  const text = ["device,at,note,temp", ...rows, `k1,${AT},"a ""b"", c",6`].join("\n");
  expect(checked(await read("notes.csv", text, { metrics: ["temp"] }))).toEqual([
    ["k1", 0, { temp: 1 }],
    ["k1", 0, { temp: 2 }],
    ["k1", 0, { temp: 3 }],
    [5, expect.stringMatching(/cell 4 has a quote where none may be/)],
    [6, expect.stringMatching(/cell 4 has a quote that is not closed/)],
    ["k1", 0, { temp: 6 }],
  ]);
});

it("[S45] a line that is too long, and a quote that is never closed, are let go in bounded memory", async () => {
  const long = "x".repeat(3_000_000);
  const text = `device,at,a\nk1,${AT},${long}\nk1,${AT},1\nk1,${AT},"${`${"y".repeat(99)}\n`.repeat(30_000)}k1,${AT},2\n`;
  const rows = await read("long.csv", text);
  expect(rows[0]).toMatchObject({ line: 2, problem: expect.stringMatching(/more than 1048576 bytes/) });
  expect(checked(rows.slice(1, 3))).toEqual([
    ["k1", 0, { a: 1 }],
    [4, expect.stringMatching(/not closed/)],
  ]);
  expect([rows.length, checked(rows.slice(-1))]).toEqual([30_003, [["k1", 0, { a: 2 }]]]);
  expect(await read("long.ndjson", `{"a":"${long}"}\n{}\n`)).toMatchObject([{ line: 1 }, { line: 2 }]);
  await expect(read("header.csv", long)).rejects.toThrow(/header .*more than 1048576 bytes/);
});

it("[Q26] an export as CSV gives the same names and figures when it is imported", async () => {
  const names = [
    '=HYPERLINK("http://x";"y")',
    "@SUM(1)",
    "+1",
    "-1+2",
    "'=x",
    " temp ",
    "＝1",
    "a,b;c|d",
    'q"uote',
    "'n",
  ];
  const text = names.map((name) => exportLines("csv", name, [{ at: AT, value: -5 }]));
  const rows = await read("own.csv", exportHead("csv", true) + text.join(""), { device: "k1" });
  expect(checked(rows)).toEqual(names.map((name) => ["k1", 0, { [name]: -5 }]));
});
