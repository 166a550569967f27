import fc from "fast-check";
import { expect, it } from "vitest";
import { nameInSheet, sheetName } from "./sheet-name.ts";

it("[Q26] a name that begins like a formula stands behind an apostrophe, and any other as it is", () => {
  for (const name of [
    "=1+1",
    "+1",
    "-1+2",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "＝1",
    "＋1",
    "－1",
    "＠A",
  ])
    expect(sheetName(name)).toBe(`'${name}`);
  for (const name of ["temp", "PM2.5", "a=b", "t-1", "x@y", "'quoted'", "°C", "5"])
    expect(sheetName(name)).toBe(name);
});

it("[Q26] every name comes back from its cell", () => {
  const tricky = fc.string({
    unit: fc.constantFrom("'", "=", "-", "＠", " ", "\u00a0", "\t", "a", '"', ","),
  });
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "grapheme" }), tricky), (name) => {
      expect(nameInSheet(sheetName(name))).toBe(name);
    }),
    { numRuns: 2_000 },
  );
});

it("[Q26] what others wrote is trimmed, whatever kind of blank is around it", () => {
  expect([" temp ", "temp\u00a0", "\ufefftemp", "\u2003temp\t"].map(nameInSheet)).toEqual(
    Array(4).fill("temp"),
  );
  expect(["'n'", "'90s"].map(nameInSheet)).toEqual(["'n'", "'90s"]);
});
