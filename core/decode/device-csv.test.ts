import { expect, it } from "vitest";
import { parseDeviceCsv } from "./device-csv.ts";

const parse = (text: string, most = 100) => parseDeviceCsv(text, most);

it.each([
  [
    "commas",
    'device,zone,name,latitude,longitude\np-1,roof,"Pump, left",52.5,13.4\n\np-2,,,,\n',
    [
      {
        line: 2,
        value: {
          device: "p-1",
          zone: "roof",
          name: "Pump, left",
          location: { latitude: 52.5, longitude: 13.4 },
        },
      },
      { line: 4, value: { device: "p-2" } },
    ],
  ],
  [
    "semicolons, decimal commas, CRLF and blanks",
    " Device ; latitude;longitude\r\n p-1 ;-52,5;13,4\r\n",
    [{ line: 2, value: { device: "p-1", location: { latitude: -52.5, longitude: 13.4 } } }],
  ],
  ["sep=", "sep=|\ndevice|model\rp-1|M3", [{ line: 3, value: { device: "p-1", model: "M3" } }]],
  ["a spreadsheet's mark", "device,name\np-1,'=A", [{ line: 2, value: { device: "p-1", name: "=A" } }]],
  [
    "a row that does not fit, a stray quote, and the lines after them",
    'device,name\np-1\np-2,a"b\np-3,"open\np-4,fine\n',
    [
      { line: 2, problem: expect.stringContaining("the row has 1 cells, the header 2") },
      { line: 3, problem: expect.stringContaining("cell 2 has a quote where none may be") },
      { line: 4, problem: expect.stringContaining("cell 2 has a quote that is not closed") },
      { line: 5, value: { device: "p-4", name: "fine" } },
    ],
  ],
  [
    "what is no number",
    "device,latitude\np-1,north",
    [{ line: 2, value: { device: "p-1", location: { latitude: "north" } } }],
  ],
])("[I49] a file of devices is read as the importer reads CSV: %s", async (_, text, lines) => {
  expect(await parse(text)).toEqual(lines);
});

it.each([
  ["", /no header/],
  ["device,zoen\np,x", /no column is called "zoen" \(did you mean "zone"\?\)/],
  ["device,zone,zone\np,x,y", /zone is there twice/],
  ["id,zone\np,x", /no column is called device.*"id,zone"/],
  ["sep=;\ndevice,zone\np,x", /no column is called device/],
])("[I49] a header that has not the columns is refused by name: %j", async (text, says) => {
  await expect(parse(text)).rejects.toThrow(says);
});

it("[I50] of too many lines one too many is read", async () => {
  const text = `device\n${Array.from({ length: 50 }, (_, i) => `d${i}`).join("\n")}`;
  expect(await parse(text, 9)).toHaveLength(10);
  expect(await parse(text, 50)).toHaveLength(50);
});
