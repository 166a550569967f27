import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isNotFinite, parseJsonBody, parseLenient, parseNdjsonBody } from "./parse-json.ts";

describe("JSON as devices write it", () => {
  it("[I11] whatever is JSON is read as JSON.parse reads it", () => {
    fc.assert(
      fc.property(fc.json({ depthSize: "medium" }), (text) => {
        expect(parseLenient(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it("[I11] bare NaN and infinities are marked wherever a value stands", () => {
    const value = parseLenient('{"a":NaN,"b":[Infinity, -Infinity],"c":{"d":NaN}}') as Record<
      string,
      unknown
    >;
    const { a, b, c } = value as { a: unknown; b: unknown[]; c: { d: unknown } };
    expect([a, ...b, c.d].map(isNotFinite)).toEqual([true, true, true, true]);
  });

  it("[I11] texts keep the words, quotes and backslashes they have", () => {
    const texts = ["NaN", 'a "NaN" b', "\\", '\\"NaN', "-Infinity\n", "\u2028 NaN"];
    expect(parseLenient(`{"texts":${JSON.stringify(texts)},"x":NaN}`)).toMatchObject({ texts });
  });

  it("[I11] 1e999 is an infinity, refused with its own code", () => {
    expect(parseLenient("1e999")).toBe(Number.POSITIVE_INFINITY);
  });

  it.each(["", "{", "NaNcy", "-NaN", '{"a":NaN', "{NaN:1,}", '"NaN', '"\\', "undefined", "[1 NaN]"])(
    "[I14] %j is no JSON",
    (text) => {
      expect(() => parseLenient(text)).toThrow(SyntaxError);
    },
  );

  it("[I13] a hundred thousand brackets neither crash nor hang it", () => {
    const depth = 100_000;
    expect(Array.isArray(parseLenient("[".repeat(depth) + "]".repeat(depth)))).toBe(true);
    expect(() => parseLenient(`${"[".repeat(depth)}NaN`)).toThrow(SyntaxError);
  });

  it("[I13] four megabytes of quotes that never end take a reading of the text, not its square", () => {
    // With a quadratic pattern this would take hours.
    expect(() => parseLenient(`[NaN,"${'\\"'.repeat(2 * 1024 * 1024)}`)).toThrow(SyntaxError);
    expect(parseLenient(`[NaN,"${"\\\\x".repeat(1024 * 1024)}"]`)).toHaveLength(2);
  });
});

describe("bodies", () => {
  it("[I8] a JSON body is one report or an array of them", () => {
    expect(parseJsonBody('{"a":1}')).toEqual([{ ok: true, value: { a: 1 } }]);
    expect(parseJsonBody('[1,{"a":2}]')).toEqual([
      { ok: true, value: 1 },
      { ok: true, value: { a: 2 } },
    ]);
    expect(parseJsonBody("[]")).toEqual([]);
  });

  it("[I10] a bad NDJSON line is a problem of its own", () => {
    const parsed = parseNdjsonBody('{"a":1}\n{"a":\n{"a":NaN}\n[1]');
    expect(parsed.map(({ ok }) => ok)).toEqual([true, false, true, true]);
    expect(parsed[1]).toMatchObject({ ok: false, message: expect.stringContaining("not JSON") });
  });

  it("[I14] NDJSON takes CRLF, a last line without an end, and skips empty lines", () => {
    const values = parseNdjsonBody('\n{"a":1}\r\n  \r\n\n{"a":2}').map((line) =>
      line.ok ? line.value : line,
    );
    expect(values).toEqual([{ a: 1 }, { a: 2 }]);
    expect(parseNdjsonBody("\n \n")).toEqual([]);
  });
});
