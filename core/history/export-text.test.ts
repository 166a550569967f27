import { describe, expect, it } from "vitest";
import type { WindowPoint } from "../../schemas/query.ts";
import { exportError, exportHead, exportLines } from "./export-text.ts";

const WINDOW: WindowPoint = {
  startMs: 0,
  endMs: 60_000,
  count: 2,
  min: -1.5,
  max: 1e300,
  mean: 0.1,
  sum: 0.2,
  stddev: 0,
  first: -1.5,
  last: 3,
  p50: 1,
  p95: 2,
  p99: 3,
};
const { p50: _, p95: __, p99: ___, ...OLD } = WINDOW;
const METRIC = 'a,"b"\u2028';

describe("NDJSON", () => {
  it("[Q11] is one JSON value a line: the metric and the point", () => {
    for (const points of [
      [
        { at: 1, value: -5e-324 },
        { at: 2, value: 0.1 },
      ],
      [WINDOW, OLD],
    ]) {
      const text =
        exportHead("ndjson", "at" in points[0]!) + exportLines("ndjson", METRIC, points as WindowPoint[]);
      expect(text.endsWith("\n")).toBe(true);
      const lines = text.split("\n").slice(0, -1);
      expect(lines.map((line) => JSON.parse(line))).toEqual(
        points.map((point) => ({ metric: METRIC, ...point })),
      );
    }
  });

  it("[Q11] one that failed ends with a line that is no point", () => {
    const line = JSON.parse(exportError("unavailable", 'R2 "cannot"'));
    expect(line).toEqual({ error: { code: "unavailable", detail: 'R2 "cannot"' } });
  });
});

describe("CSV", () => {
  it("[Q11] has the fields in the order of its first line; a name with commas or quotes is quoted", () => {
    expect(
      exportHead("csv", true) +
        exportLines("csv", "t", [
          { at: 1, value: -0.5 },
          { at: 2, value: -0 },
        ]),
    ).toBe("metric,at,value\r\nt,1,-0.5\r\nt,2,0\r\n");
    expect(exportHead("csv", false)).toBe(
      "metric,startMs,endMs,count,min,max,mean,sum,stddev,first,last,p50,p95,p99,thinned\r\n",
    );
    expect(exportLines("csv", METRIC, [WINDOW, OLD])).toBe(
      [
        '"a,""b""\u2028",0,60000,2,-1.5,1e+300,0.1,0.2,0,-1.5,3,1,2,3,\r\n',
        '"a,""b""\u2028",0,60000,2,-1.5,1e+300,0.1,0.2,0,-1.5,3,,,,\r\n',
      ].join(""),
    );
  });

  it("[Q26] a name that begins like a formula is quoted, behind an apostrophe; figures stay as they are", () => {
    const line = (metric: string) => exportLines("csv", metric, [{ at: 1, value: -5 }]);
    expect(line('=HYPERLINK("http://x";"y")')).toBe(`"'=HYPERLINK(""http://x"";""y"")",1,-5\r\n`);
    expect(["@SUM(1)", "+1", "-1+2", "＝1", " =1", "\t=1", "\r=1"].map(line)).toEqual(
      ["@SUM(1)", "+1", "-1+2", "＝1", " =1", "\t=1", "\r=1"].map((name) => `"'${name}",1,-5\r\n`),
    );
    expect(["a;=1", "a|=1", "a\t=1"].map(line)).toEqual(
      ["a;=1", "a|=1", "a\t=1"].map((name) => `"${name}",1,-5\r\n`),
    );
    expect(exportLines("csv", "-", [{ ...WINDOW, min: -1.5 }])).toMatch(/^"'-",0,60000,2,-1\.5,/);
    expect(JSON.parse(exportLines("ndjson", "=1", [{ at: 1, value: -5 }]))).toEqual({
      metric: "=1",
      at: 1,
      value: -5,
    });
  });
});
