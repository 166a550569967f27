// A seed → texts that are nearly right: what a door takes, broken in one to four places.
import fc from "fast-check";

/** What has broken parsers before: put in place of a value, or in the middle of a text. */
const ODD_TEXTS = [
  ...'{}[]",:\\-+.eE0 \n\t',
  ...'nan NaN -inf 1e999 1e-999 -0 null true 9007199254740993 0x10 +1 .5 "" "nan" {} [] [[[[ ]]]] }}}}'.split(
    " ",
  ),
  '"__proto__":1,',
  '"metrics":{},',
  '"at":1e8,',
  "\ufeff",
  "\u0000",
  "\u2028",
  "\ud800",
  '"\\ud800"',
  "é°C",
];
const ODD_VALUES: unknown[] = [
  null,
  true,
  "",
  "nan",
  "x".repeat(300),
  "\u202ex",
  0,
  -1,
  1.5,
  2 ** 53,
  1e300,
  -1e-300,
  [],
  {},
  [[]],
  { __proto__: null, constructor: 1 },
];

/** How a text is broken: where, as a part of its length, how, and by what. */
const break_ = fc.record({
  where: fc.double({ min: 0, max: 1, noNaN: true }),
  how: fc.constantFrom("insert", "cut", "repeat", "truncate", "replace"),
  length: fc.integer({ min: 1, max: 12 }),
  odd: fc.constantFrom(...ODD_TEXTS),
});

const broken = (
  text: string,
  { where, how, length, odd }: typeof break_ extends fc.Arbitrary<infer B> ? B : never,
) => {
  const at = Math.floor(where * text.length);
  const [before, part, after] = [text.slice(0, at), text.slice(at, at + length), text.slice(at + length)];
  if (how === "insert") return before + odd + part + after;
  if (how === "cut") return before + after;
  if (how === "repeat") return before + part.repeat(length) + after;
  return how === "truncate" ? before : before + odd + after;
};

/** Every place of a value: itself, and what is in it. */
function placesOf(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.keys(value).flatMap((key) => placesOf((value as never)[key], [...path, key]))];
}

/** The value with another in one place; `undefined` takes what was there away. */
function withAt(value: unknown, [key, ...rest]: string[], other: unknown): unknown {
  if (key === undefined) return other;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  copy[key] = withAt(copy[key], rest, other);
  return copy;
}

/** Texts of JSON near one of `values`: some as they are, some with other values in places, some broken as texts. */
export function nearJson(values: readonly unknown[]): fc.Arbitrary<string> {
  const changed = fc
    .constantFrom(...values)
    .chain((value) =>
      fc
        .array(
          fc.tuple(
            fc.constantFrom(...placesOf(value)),
            fc.oneof(fc.constantFrom(...ODD_VALUES, undefined), fc.jsonValue({ maxDepth: 1 }), fc.double()),
          ),
          { maxLength: 3 },
        )
        .map((changes) =>
          changes.reduce<unknown>((last, [path, other]) => changeOf(last, path, other), value),
        ),
    );
  const text = changed.map((value) => JSON.stringify(value) ?? "null");
  const breaks = fc.array(break_, { minLength: 1, maxLength: 4 });
  return fc.oneof(
    { weight: 2, arbitrary: text },
    { weight: 3, arbitrary: fc.tuple(text, breaks).map(([whole, all]) => all.reduce(broken, whole)) },
    { weight: 1, arbitrary: fc.json({ maxDepth: 3 }) },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 60 }) },
  );
}

/** A change of a place that an earlier change took away changes nothing. */
function changeOf(value: unknown, path: string[], other: unknown): unknown {
  const parent = path.slice(0, -1).reduce<unknown>((at, key) => (at as never)?.[key], value);
  return path.length > 0 && (typeof parent !== "object" || parent === null)
    ? value
    : withAt(value, path, other);
}
