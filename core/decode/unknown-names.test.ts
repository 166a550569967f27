import { expect, it } from "vitest";
import { unknownNames } from "./unknown-names.ts";

const KNOWN = ["metric", "from", "to", "resolution", "maxPoints"];

it.each([
  ["resolutoin", "resolution"],
  ["Resolution", "resolution"],
  ["metrics", "metric"],
  ["max_points", "maxPoints"],
  ["form", "from"],
  ["x", undefined],
  ["", undefined],
  ["toString", undefined],
  ["resolution".repeat(7), undefined],
])("[Q20] %s: did you mean %s", (name, meant) => {
  const text = unknownNames("parameter", [name], KNOWN);
  expect(/did you mean "(\w+)"/.exec(text)?.[1]).toBe(meant);
  expect(text).toMatch(
    /^no parameter is called ".*"( \(.*\))?; there are metric, from, to, resolution, maxPoints$/,
  );
});

it("[Q20] a sentence stays short, whatever was given", () => {
  const names = Array.from({ length: 1_000 }, (_, i) => `${"x".repeat(5_000)}${i}`);
  expect(unknownNames("key", names, []).length).toBeLessThan(1_000);
  expect(unknownNames("key", names, [])).toMatch(/ and 990 more; there is none$/);
});
