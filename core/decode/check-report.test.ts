import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { NOTE_CODES } from "../../schemas/codes.ts";
import { report } from "../../schemas/reading.ts";
import { checkReport } from "./check-report.ts";
import { parseLenient, parseNumbers } from "./parse-json.ts";
import { unknownNames } from "./unknown-names.ts";

const now = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;
const FIXTURES = join(import.meta.dirname, "../../test/fixtures");
const fixturesOf = (kind: "valid" | "invalid") =>
  readdirSync(join(FIXTURES, kind)).map((name) => ({
    name,
    value: parseLenient(readFileSync(join(FIXTURES, kind, name), "utf8")),
  }));

/** The schema knows shapes only: whether an instant is near enough is asked of the clock, before the readings are. */
const OF_THE_CLOCK = new Set([
  "too_old",
  "at_in_seconds",
  "at_in_microseconds",
  "at_in_digits",
  "at_in_future",
]);
function fits(value: unknown): boolean {
  const problems = checkReport(value, 0, now).problems.filter(({ code }) => !NOTE_CODES.has(code));
  if (problems.length === 0) return true;
  // Digits in a text are no instant, at whatever time.
  if (problems[0]!.code === "at_in_digits" && typeof (value as { at: unknown }).at === "string") return false;
  return OF_THE_CLOCK.has(problems[0]!.code) && fits({ ...(value as object), at: now });
}

describe("the check and the schema", () => {
  it.each(fixturesOf("valid"))("[I17] both take $name", ({ value }) => {
    expect([report.safeParse(value).success, fits(value)]).toEqual([true, true]);
  });

  it.each(fixturesOf("invalid"))("[I17] both refuse $name", ({ value }) => {
    expect([report.safeParse(value).success, fits(value)]).toEqual([false, false]);
  });

  const oddName = fc.oneof(
    fc.string({ unit: "binary", maxLength: 140 }),
    fc.constantFrom(
      "__proto__",
      "constructor",
      "toString",
      "",
      "\ud800",
      "\u007f",
      "a\u0000",
      "é".repeat(64),
      "é".repeat(65),
    ),
  );
  const name = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("a", "b", "°C") },
    { weight: 1, arbitrary: oddName },
  );
  const number = fc.oneof(
    fc.double(),
    fc.constantFrom(
      -0,
      Number.POSITIVE_INFINITY,
      Number.NaN,
      1e11,
      1e11 - 1,
      1e14,
      1e14 + 1,
      now,
      now + 600_001,
      1.5,
    ),
  );
  const json = fc.jsonValue({ maxDepth: 2 });
  const at = fc.oneof(
    number,
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc
      .tuple(
        fc.integer({ min: 2023, max: 2026 }),
        fc.nat(14),
        fc.nat(33),
        fc.nat(25),
        fc.constantFrom("", "Z", "+0530", "-25:00"),
      )
      .map(([year, month, day, hour, zone]) => {
        const [mm, dd, hh] = [month, day, hour].map((part) => `${part}`.padStart(2, "0"));
        return `${year}-${mm}-${dd}T${hh}:00${zone}`;
      }),
    json,
  );
  const metrics = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.dictionary(
        name,
        fc.oneof({ weight: 5, arbitrary: number }, { weight: 1, arbitrary: json }),
      ),
    },
    { weight: 1, arbitrary: json },
  );
  const device = fc.oneof(
    fc.constantFrom("pump-1", "", "-x", "a/b", "é", "x".repeat(128), "x".repeat(129)),
    json,
  );
  const candidate = fc.oneof(
    { weight: 8, arbitrary: fc.record({ at, device, metrics, other: json }, { requiredKeys: [] }) },
    { weight: 8, arbitrary: fc.record({ at, metrics }, { requiredKeys: ["metrics"] }) },
    { weight: 1, arbitrary: json },
  );

  it("[I17] agree on any JSON", () => {
    fc.assert(
      fc.property(candidate, (value) => {
        expect(fits(value)).toBe(report.safeParse(value).success);
      }),
      { numRuns: 3_000 },
    );
  });

  it("[I21] [I17] name exactly the fields the schema does not know, last and in no verdict", () => {
    const field = fc.oneof(oddName, fc.constantFrom("at", "metrics", "unit"));
    const anything = fc.oneof(candidate, fc.dictionary(field, json));
    fc.assert(
      fc.property(anything, (value) => {
        const { problems } = checkReport(value, 0, now);
        const { error } = z.strictObject(report.shape).safeParse(value);
        const unknown = error?.issues.flatMap((issue) =>
          issue.code === "unrecognized_keys" ? issue.keys : [],
        );
        const found = problems.filter(({ code }) => code === "unknown_field");
        expect(found.map(({ message }) => message)).toEqual(
          unknown?.length ? [unknownNames("field", unknown, ["at", "device", "metrics"])] : [],
        );
        if (found.length > 0) expect(problems.at(-1)).toBe(found[0]);
      }),
      { numRuns: 3_000 },
    );
  });

  it("[I17] read the same out of a report", () => {
    fc.assert(
      fc.property(candidate, (value) => {
        const { report: checked } = checkReport(value, 0, now);
        const parsed = report.safeParse(value);
        if (!parsed.success || checked === undefined) return;
        expect(checked.device).toBe(parsed.data.device);
        const readings = checked.names.map((metric, i) => [metric, checked.values[i]]);
        expect(readings).toEqual(Object.entries(parsed.data.metrics));
      }),
      { numRuns: 1_000 },
    );
  });

  it("[I8] every reading of a readable report has exactly one verdict", () => {
    fc.assert(
      fc.property(candidate, (value) => {
        const { report: checked, refused } = checkReport(value, 0, now);
        const { metrics } = (value ?? {}) as { metrics?: unknown };
        const isReadable = typeof metrics === "object" && metrics !== null && !Array.isArray(metrics);
        const sent = isReadable ? Object.keys(metrics).length : 1;
        const taken = checked?.values.length ?? 0;
        // A report without readings counts as one only when it is refused.
        expect(taken + refused === sent || (sent === 0 && refused === 1)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("at", () => {
  it.each([
    ["absent is the arrival", undefined, now],
    ["a fraction of a ms is cut off", now - 0.25, now - 1],
    ["ten minutes ahead are taken", now + 10 * MINUTE_MS, now + 10 * MINUTE_MS],
    ["1e11 is March 1973", 1e11, 1e11],
    ["ISO without an offset is UTC", "2025-12-31T23:00:00", now - 60 * MINUTE_MS],
    ["ISO with an offset", "2026-01-01T01:00:00+02:00", now - 60 * MINUTE_MS],
    ["ISO to the nanosecond", "2025-12-31T23:59:59.123999999Z", now - 877],
  ])("[I12] %s", (_, at, expected) => {
    expect(checkReport({ at, metrics: { a: 1 } }, 0, now).report?.at).toBe(expected);
  });

  it.each([
    ["at_in_seconds", now / 1_000],
    ["at_in_seconds", 1e8],
    ["at_in_microseconds", now * 1_000],
    ["at_in_microseconds", now * 1_000_000],
    ["at_in_digits", 20260110],
    ["at_in_digits", 2026011006],
    ["at_in_digits", 202601100600],
    ["at_in_digits", 20260110060000],
    ["at_in_digits", 20260110060000000],
    ["at_in_digits", "20260110"],
    ["at_in_digits", "202601100600"],
    ["at_in_digits", "20260110060000123"],
    ["at_in_seconds", 2_026_131_006],
    ["invalid_at", "2026-01-10"],
    ["invalid_at", "1767225600000"],
    ["invalid_at", "2025-12-31T12:00:60Z"],
    ["at_in_future", now + 10 * MINUTE_MS + 1],
    ["at_in_future", 1e14],
    ["at_in_future", "2026-01-01T00:10:00.001Z"],
    ["too_old", 0],
    ["too_old", "1970-01-01T00:00:00Z"],
    ["invalid_at", "yesterday"],
    ["invalid_at", "2026-02-30T00:00:00Z"],
    ["invalid_at", Number.NaN],
  ])("[I12] [I28] is refused as %s: %s", (code, at) => {
    const outcome = checkReport({ at, metrics: { a: 1, b: 2 } }, 3, now);
    expect(outcome).toMatchObject({ report: undefined, refused: 2, problems: [{ index: 3, code }] });
  });
});

describe("what at is told to be", () => {
  const messageOf = (at: unknown, nowMs = now) =>
    checkReport({ at, metrics: { a: 1 } }, 0, nowMs).problems[0]?.message;

  it("[I28] the remedy is the date, as ISO 8601", () => {
    expect(messageOf(202601100600)).toBe(
      '"at" 202601100600 looks like the digits of a date written together; send 2026-01-10T06:00:00Z, or epoch milliseconds',
    );
    expect(messageOf("2026-01-10")).toMatch(/a date with its time .*got string "2026-01-10"/);
    expect(messageOf("1767225600000")).toMatch(/no quotes.*got string "1767225600000"/);
    expect(messageOf("2025-12-31T12:00:60Z")).toMatch(/leap second is 23:59:60 UTC/);
    for (const at of ["1".repeat(1e6), "x".repeat(1e6), 1e300, `2026${"0".repeat(1e6)}`])
      expect(messageOf(at)!.length).toBeLessThan(200);
  });

  it("[I28] what is near the server's clock is what it says, also when it spells a date", () => {
    const then = 202_601_100_600; // 2 June 1976
    expect(messageOf(then, then + 1_000)).toBeUndefined();
    expect(checkReport({ at: then, metrics: { a: 1 } }, 0, then).report?.at).toBe(then);
    // In 2034 seconds spell dates of 2026, too.
    expect(messageOf(2_026_011_006, 2_026_011_006_000)).toMatch(/seconds/);
    expect(messageOf(2_026_011_006_000_000, 2_026_011_006_000)).toMatch(/micro/);
  });

  it("[I29] a leap second is the second after it, and its report says so", () => {
    const at = "2025-12-31T23:59:60.5Z";
    const { report: checked, refused, problems } = checkReport({ at, metrics: { a: 1, b: "x" } }, 4, now);
    expect(checked).toMatchObject({ at: now + 500, names: ["a"] });
    expect(refused).toBe(1);
    expect(problems).toMatchObject([
      { index: 4, metric: "b", code: "not_a_number" },
      { index: 4, code: "leap_second", message: expect.stringMatching(/23:59:60\.5Z.*2026-01-01T00:00:00Z/) },
    ]);
  });
});

describe("readings", () => {
  it("[I26] an integer that was rounded is kept and named, after refusals and before unknown fields", () => {
    const text =
      '{"metrics":{"n":9007199254740993,"bad":-nan,"m":9007199254740992,"q":12345678901234567890},"u":1}';
    const { value, written } = parseNumbers(text);
    const outcome = checkReport(value, 2, now, written);
    expect(outcome.report).toMatchObject({
      names: ["n", "m", "q"],
      values: [2 ** 53, 2 ** 53, 12345678901234567000],
    });
    expect(outcome.refused).toBe(1);
    expect(outcome.problems.map(({ index, metric, code }) => [index, metric, code])).toEqual([
      [2, "bad", "not_finite"],
      [2, "n", "precision_lost"],
      [2, "q", "precision_lost"],
      [2, undefined, "unknown_field"],
    ]);
    expect(outcome.problems[0]!.message).toContain("-nan");
    expect(outcome.problems[1]!.message).toMatch(/9007199254740993 is kept as 9007199254740992.*2\^53/);
  });

  it("[I11] a bare word is no device and no instant either", () => {
    for (const [field, code] of [
      ["device", "invalid_device"],
      ["at", "invalid_at"],
    ]) {
      const { value, written } = parseNumbers(`{"${field}":nan,"metrics":{"a":1}}`);
      expect(checkReport(value, 0, now, written).problems).toMatchObject([{ code }]);
    }
  });

  it("[I10] [I11] bad ones cost the good ones nothing", () => {
    const text = '{"metrics":{"a":1,"nan":NaN,"inf":-Infinity,"big":1e999,"text":"1","no":null,"":2,"z":3}}';
    const { report: checked, refused, problems } = checkReport(parseLenient(text), 0, now);
    expect(checked).toMatchObject({ names: ["a", "z"], values: [1, 3] });
    expect(refused).toBe(6);
    expect(problems.map(({ metric, code }) => [metric, code])).toEqual([
      ["nan", "not_finite"],
      ["inf", "not_finite"],
      ["big", "not_finite"],
      ["text", "not_a_number"],
      ["no", "not_a_number"],
      ["", "invalid_metric_name"],
    ]);
    expect(problems.map(({ message }) => message).join()).not.toContain("\u0000");
  });

  it("[I13] a thousand metrics are taken, one more refuses the report whole", () => {
    const metrics = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`m${i}`, i]));
    expect(checkReport({ metrics }, 0, now).report?.values).toHaveLength(1_000);
    expect(checkReport({ metrics: { ...metrics, more: 1 } }, 0, now)).toMatchObject({
      report: undefined,
      refused: 1_001,
      problems: [{ code: "too_many_metrics" }],
    });
  });

  it("[I13] a name is refused every time, also after ten thousand good ones", () => {
    const codeOf = (name: string) => checkReport({ metrics: { [name]: 1 } }, 0, now).problems[0]?.code;
    for (let i = 0; i < 10_001; i++) expect(codeOf(`good-${i}`)).toBeUndefined();
    for (let i = 0; i < 2; i++) expect(codeOf("bad\u001f")).toBe("invalid_metric_name");
    expect(codeOf("good-1")).toBeUndefined();
  });

  it("[I13] a long name is not repeated whole in its problem", () => {
    const { problems } = checkReport({ metrics: { ["x".repeat(100_000)]: 1 } }, 0, now);
    expect(JSON.stringify(problems).length).toBeLessThan(300);
  });
});
