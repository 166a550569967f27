import { describe, expect, it } from "vitest";
import type { PackedReports } from "../../schemas/message.ts";
import { forEachReport } from "../report/pack.ts";
import { groupReports } from "./group-reports.ts";
import { type ParsedReport, parseJsonBody, parseNdjsonBody } from "./parse-json.ts";

const now = Date.UTC(2026, 0, 1);
const report = (device: string | undefined, value: unknown = 1, metric = "m") => ({
  device,
  metrics: { [metric]: value },
});
const parsedOf = (...values: unknown[]): ParsedReport[] => values.map((value) => ({ ok: true, value }));

function readingsOf({ names, shapes, rows }: PackedReports) {
  const readings: unknown[] = [];
  forEachReport({ names, shapes, rows }, (id, at, receivedAt, shape, valuesAt) => {
    readings.push([id, at, receivedAt, shape.map((name, i) => [names[name], rows[valuesAt + i]])]);
  });
  return readings;
}

describe("a device's token", () => {
  it("[I6] speaks for its device, named or not; another's report is refused as device_mismatch", () => {
    const parsed = parsedOf(report(undefined), report("pump-2"), report("pump-1", 2));
    const { devices, refused, mismatched, problems } = groupReports(parsed, "pump-1", now);
    expect([...devices.keys()]).toEqual(["pump-1"]);
    expect(readingsOf(devices.get("pump-1")!.finish())).toEqual([
      [0, now, now, [["m", 1]]],
      [2, now, now, [["m", 2]]],
    ]);
    expect([refused, mismatched]).toEqual([1, 1]);
    expect(problems).toMatchObject([{ index: 1, code: "device_mismatch" }]);
  });

  it("[I6] every reading of another device's report is refused", () => {
    const other = { device: "pump-2", metrics: { a: 1, b: 2, c: "x" } };
    const { devices, refused } = groupReports(parsedOf(other), "pump-1", now);
    expect([devices.size, refused]).toEqual([0, 3]);
  });
});

describe("a gateway's token", () => {
  it("[I7] a report that names no device is refused as device_missing, the others go to theirs", () => {
    const parsed = parsedOf(report("b"), report(undefined), report("a"), report("b", 2));
    const { devices, refused, problems } = groupReports(parsed, undefined, now);
    expect([...devices].map(([device, packer]) => [device, packer.readingCount])).toEqual([
      ["b", 2],
      ["a", 1],
    ]);
    expect(refused).toBe(1);
    expect(problems).toMatchObject([{ index: 1, code: "device_missing" }]);
  });

  it("[I7] devices named as an object's own properties are devices", () => {
    const { devices } = groupReports(parsedOf(report("constructor"), report("toString")), undefined, now);
    expect([...devices.keys()]).toEqual(["constructor", "toString"]);
  });
});

describe("verdicts at the door", () => {
  it("[I8] refused and taken readings add up to those sent; an unreadable report counts as one", () => {
    const parsed = [
      ...parsedOf(
        { metrics: { a: 1, b: "x", c: 3 } },
        7,
        { metrics: 8 },
        { at: "no", metrics: { a: 1, b: 2 } },
      ),
      ...parseNdjsonBody("{oops"),
    ];
    const { devices, refused, shapeless } = groupReports(parsed, "pump-1", now);
    expect([devices.get("pump-1")!.readingCount, refused, shapeless]).toEqual([2, 1 + 1 + 1 + 2 + 1, 3]);
  });

  it("[I9] of a request without a readable report every report is listed by its index", () => {
    const parsed = parseNdjsonBody('{bad\n\n[]\n"text"\n{"metrics":null}');
    const { shapeless, problems, devices } = groupReports(parsed, "pump-1", now);
    expect([shapeless, devices.size]).toEqual([parsed.length, 0]);
    expect(problems.map(({ index, code }) => [index, code])).toEqual([
      [0, "malformed_json"],
      [1, "invalid_report"],
      [2, "invalid_report"],
      [3, "invalid_report"],
    ]);
  });

  it("[I10] a bad line costs no other", () => {
    const parsed = parseNdjsonBody('{"metrics":{"a":1}}\n{"metrics":{"a":\n{"metrics":{"a":NaN,"b":2}}');
    const { devices, refused } = groupReports(parsed, "pump-1", now);
    expect(readingsOf(devices.get("pump-1")!.finish())).toEqual([
      [0, now, now, [["a", 1]]],
      [2, now, now, [["b", 2]]],
    ]);
    expect(refused).toBe(2);
  });

  it("[I13] at most a hundred problems are listed; the counts stay whole", () => {
    const metrics = Object.fromEntries(Array.from({ length: 90 }, (_, i) => [`m${i}`, "x"]));
    const parsed = parseJsonBody(
      JSON.stringify([{ metrics }, { metrics }, 7, { device: "other", metrics: { a: 1 } }]),
    );
    const { problems, refused } = groupReports(parsed, "pump-1", now);
    expect([problems.length, refused]).toEqual([100, 182]);
    expect(problems.map(({ index }) => index)).toEqual(
      problems.map(({ index }) => index).toSorted((a, b) => a - b),
    );
  });
});

describe("[F16] each refused reading is listed where that is wanted", () => {
  const long = "x".repeat(100);
  const cases: [what: string, value: unknown, expected: [metric: string | undefined, code: string][]][] = [
    ["no object", 1, [[undefined, "invalid_report"]]],
    ["metrics that are none", { device: "a", metrics: [1] }, [[undefined, "invalid_report"]]],
    ["no metric, of no device", { device: "/", metrics: {} }, [[undefined, "invalid_device"]]],
    [
      "an instant that is none",
      { device: "a", at: "x", metrics: { a: 1, b: "y" } },
      [
        ["a", "invalid_at"],
        ["b", "invalid_at"],
      ],
    ],
    [
      "bad ones between good ones, with a note",
      { device: "a", metricz: 1, metrics: { a: "x", b: 1, c: null, d: 2 } },
      [
        ["a", "not_a_number"],
        ["c", "not_a_number"],
      ],
    ],
    [
      "names that differ only where a message cuts them",
      { device: "a", metrics: { [`${long}1`]: 1, [`${long}2`]: "x" } },
      [[`${long}2`, "not_a_number"]],
    ],
    [
      "a name that is too long",
      { device: "a", metrics: { ["y".repeat(1_000)]: 1 } },
      [[`${"y".repeat(61)}...`, "invalid_metric_name"]],
    ],
    [
      "no device",
      { metrics: { a: 1, b: "x" } },
      [
        ["b", "not_a_number"],
        ["a", "device_missing"],
      ],
    ],
  ];
  it.each(cases)("%s", (_what, value, expected) => {
    const { each, refused } = groupReports(parsedOf(report("a"), value), undefined, now, true);
    expect(each!.map(({ metric, code }) => [metric, code])).toEqual(expected);
    expect(each!.every(({ index, verdict }) => index === 1 && verdict === "refused")).toBe(true);
    expect(refused).toBe(each!.length);
    expect(groupReports(parsedOf(report("a"), value), undefined, now).each).toBeUndefined();
  });

  it("a million of them are not", () => {
    const metrics = Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`m${i}`, 1]));
    const { each, refused } = groupReports(parsedOf({ device: "a", metrics }), undefined, now, true);
    expect([each!.length, refused]).toEqual([10_001, 200_000]);
  });
});
