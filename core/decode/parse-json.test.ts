import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  hasMoreBrackets,
  hasMoreElements,
  hasMoreLines,
  isNotFinite,
  looksLikeLines,
  parseJsonBody,
  parseLenient,
  parseNdjsonBody,
  parseNumbers,
} from "./parse-json.ts";

/** As Python, C, Go, R, Java, Arduino and two ages of Windows print what is no finite number. */
const WORDS =
  "NaN nan Nan NAN -nan +NaN inf -inf +inf Inf INF Infinity -Infinity +Infinity INFINITY -nan(ind) nan(snan) ovf 1.#INF -1.#IND 1.#QNAN".split(
    " ",
  );

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

  it.each(WORDS)("[I11] %s is told from text wherever a value stands, and in quotes it is text", (word) => {
    const { value, written } = parseNumbers(
      `{"a":${word},"b":[1, ${word} ],"c":{"${word}":"${word}"},"d":2}`,
    );
    const expected = { b: [1, Infinity], c: { [word]: word }, d: 2 };
    expect(value).toEqual({ a: Infinity, ...expected });
    expect(written).toEqual({ a: word, ...expected, b: [1, word] });
    expect(isNotFinite(word)).toBe(true);
    expect(parseNumbers(word)).toEqual({ value: Infinity, written: word });
  });

  it.each(["nano", "info", "n/a", "in", "Infinit", "nan()x", "+-inf", "- inf", "", " nan"])(
    "[I11] %j in quotes is no such word",
    (text) => {
      expect(isNotFinite(text)).toBe(false);
    },
  );

  it("[I26] an integer that float64 does not have is told as it was written, no other number is", () => {
    const lost = ["9007199254740993", "-9007199254740993", "12345678901234567890", `1${"0".repeat(30)}1`];
    const kept = ["9007199254740991", "9007199254740992", "9007199254740994", "1152921504606846976"];
    // As JSON writes a float64, a decimal, an exponent, and what is no finite number at all.
    kept.push("1152921504606847000", "0.30000000000000004", "12345678901234567.5", "9007199254740993e0");
    kept.push("1".repeat(400), "0.12345678901234567890");
    const text = `{"l":[${lost}],"k":[${kept}],"t":"9007199254740993 \\" 9007199254740993"}`;
    const { value, written } = parseNumbers(text);
    expect(value).toEqual(JSON.parse(text));
    expect(written).toEqual({ ...JSON.parse(text), l: lost });
    expect(parseNumbers(`[${kept}]`).written).toBeUndefined();
  });

  it("[I26] every integer that survives its float64 is told as kept, and no other", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (integer) => {
        const isKept = BigInt(Number(integer)) === integer || String(Number(integer)) === `${integer}`;
        expect(parseNumbers(`${integer}`).written).toBe(isKept ? undefined : `${integer}`);
      }),
    );
  });

  it("[I11] 1e999 is an infinity, refused with its own code", () => {
    expect(parseLenient("1e999")).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([
    "",
    "{",
    "NaNcy",
    "--NaN",
    "1nan",
    "nan1",
    "info",
    ".inf",
    "{nan:1}",
    '{"a":nan"b":1}',
    "[nan nan]",
    '{"a":NaN',
    "{NaN:1,}",
    '"NaN',
    '"\\',
    "undefined",
    "[1 NaN]",
  ])("[I14] %j is no JSON", (text) => {
    expect(() => parseNumbers(text)).toThrow(SyntaxError);
    if (text !== "{nan:1}") expect(() => parseLenient(text)).toThrow(SyntaxError);
  });

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
  it("[I27] a body is known to have too many reports without one being parsed", () => {
    const objects = (count: number) => `\n [${Array(count).fill('{"a":"[,]\\\\\\",","b":[1,2]}').join()}]`;
    for (const [count, isMore] of [
      [2, false],
      [3, false],
      [4, true],
    ] as const)
      expect(hasMoreElements(objects(count), 3)).toBe(isMore);
    expect(hasMoreElements(objects(4).slice(0, -3), 3)).toBe(true);
    expect(hasMoreElements(`{"a":[1,2,3,4,5,6,7]}`, 3)).toBe(false);
    expect(hasMoreElements(`["${",".repeat(100)}`, 3)).toBe(false);
    expect(hasMoreLines("x\n\n \r\n\ny\nz\n\n", 3)).toBe(false);
    expect(hasMoreLines("x\n\n \r\n\ny\nz\nx", 3)).toBe(true);
    expect(hasMoreLines("\n".repeat(100), 3)).toBe(false);
    expect(["[{}]", '"[[["', "[[]"].map((text) => hasMoreBrackets(text, 2))).toEqual([false, true, false]);
  });

  it("[I9] two lines of reports are known, and what only begins like them is not", () => {
    expect(["{}\n{", "\n {} \r\n\n {"].map(looksLikeLines)).toEqual([true, true]);
    expect(["{}", "{}\nx", "{\n{", "x\n{", ""].map(looksLikeLines)).toEqual(Array(5).fill(false));
  });

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
