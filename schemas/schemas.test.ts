import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PROBLEM_CODES, PROBLEM_STATUS, READING_CODES, VERDICTS } from "./codes.ts";
import { problemDocument } from "./error.ts";
import { archiveQuery, listQuery } from "./http.ts";
import { parseIso } from "./instant.ts";
import { deviceName, metricName } from "./name.ts";
import { oddCharacter, oneLine } from "./one-line.ts";
import { bodyInstant, historyQuery, instant } from "./query.ts";
import { report, serverFrame, telemetryAnswer, telemetryBody } from "./reading.ts";
import { defaultSettings, tenantSettings, tenantSettingsChange } from "./tenant.ts";

describe("names", () => {
  it.each(["a", "pump-1", "A:b.c_d-9", "9", "x".repeat(128)])("[I13] %s is a device", (name) => {
    expect(deviceName.safeParse(name).success).toBe(true);
  });

  it.each(["", "-a", ".a", "a/b", "a b", "ä", "a\n", "x".repeat(129), "a%2f"])("[I13] %j is none", (name) => {
    expect(deviceName.safeParse(name).success).toBe(false);
  });

  it("[I13] a metric name has 1 to 128 UTF-8 bytes", () => {
    const sizes = ["", "é".repeat(64), `${"é".repeat(64)}x`, "x".repeat(128), "x".repeat(129)];
    expect(sizes.map((name) => metricName.safeParse(name).success)).toEqual([
      false,
      true,
      false,
      true,
      false,
    ]);
  });

  it.each(["a\u0000", "\n", "\u007f", "\u0085", "a\u2028", "\u202ea", "\ud800", "__proto__"])(
    "[I13] [I32] a metric is not called %j",
    (name) => {
      expect(metricName.safeParse(name).success).toBe(false);
    },
  );

  it("[I32] a character that is odd is named with its place, counted as people count", () => {
    expect(oddCharacter("😀e\u0301\n")).toBe("U+000A (a line break) as character 4");
    expect(oddCharacter("a\u009b")).toBe("U+009B (a control character) as character 2");
    expect(oddCharacter("\u2067a")).toBe("U+2067 (a mark that turns the direction of text) as character 1");
    expect(oddCharacter("\udc00")).toBe("U+DC00 (half a surrogate pair) as character 1");
    expect(oddCharacter("a\r\n\tb", "many")).toBeUndefined();
    expect(oddCharacter("a\u0000", "many")).toBe("U+0000 (a control character) as character 2");
    expect(oddCharacter("שלום · 温度 · a\u200db")).toBeUndefined();
  });

  it("[A58] any text becomes one line of visible text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => oddCharacter(oneLine(text)) === undefined),
      { numRuns: 500 },
    );
    expect(oneLine(" a\r\n\t\u2029b \u202ec\u0000\u00a0d ")).toBe("a b c d");
  });
});

describe("instants in a query", () => {
  it.each([
    ["0", 0],
    ["1767225600000", 1_767_225_600_000],
    ["100000000000000", 1e14],
    ["2026-01-01 00:00:00+00", 1_767_225_600_000],
    ["2026-01-01T01:00:00 01:00", 1_767_225_600_000], // a + that was not escaped
    ["20260101T053000 0530", 1_767_225_600_000],
    ["9999-12-31T00:00", Date.UTC(9999, 11, 31)],
    ["2026-01-01T00:00", 1_767_225_600_000],
    ["2026-01-01T01:00+01:00", 1_767_225_600_000],
  ])("[Q6] %s is one", (text, expected) => {
    expect(instant.parse(text)).toBe(expected);
  });

  it.each([
    "",
    "-1",
    "1.5",
    "8640000000000001",
    "99999999999999999",
    "2026-13-01T00:00",
    "2026-04-31T00:00",
    "now",
    "2026-01-01T00:00 1",
    "2026-01-01T00:00:00+01:00 01",
  ])("[Q6] %j is refused, never NaN or beyond what a date holds", (text) => {
    expect(instant.safeParse(text).success).toBe(false);
  });

  it.each([
    ["1767225600", /seconds.*× 1000/],
    ["1767225600.123", /seconds/],
    ["1767225600000000", /micro/],
    ["1767225600000000000", /micro/],
    ["8640000000000000", /micro/],
    ["20260101", /digits.*2026-01-01T00:00:00Z/],
    ["202601010600", /digits.*2026-01-01T06:00:00Z/],
    ["20260101060000", /digits/],
    ["2026-01-01", /a day is no instant, write 2026-01-01T00:00Z/],
    ["tomorrow", /epoch ms or ISO 8601/],
  ])("[Q27] %s is refused in an address and in a body, and told what to write", (text, says) => {
    const given = [instant.safeParse(text), bodyInstant.safeParse(text)];
    if (/^\d+$/.test(text)) given.push(bodyInstant.safeParse(Number(text)));
    for (const { error } of given) expect(error?.issues[0]?.message).toMatch(says);
  });

  it("[Q6] a history query has defaults, and no others than the known tiers and resolutions", () => {
    expect(historyQuery.parse({ metric: "m" })).toEqual({
      metric: "m",
      resolution: "auto",
      source: "auto",
      thin: "minmax",
    });
    expect(historyQuery.safeParse({ metric: "m", resolution: "2h" }).success).toBe(false);
    expect(historyQuery.safeParse({ metric: "m", source: "r2" }).success).toBe(false);
    expect(historyQuery.safeParse({}).success).toBe(false);
  });

  it("[Q7] a page has 1 to 1,000 items, 100 unless said", () => {
    expect(listQuery.parse({}).limit).toBe(100);
    expect(listQuery.parse({ limit: "1000" }).limit).toBe(1_000);
    for (const limit of ["0", "1001", "x", "1.5"]) expect(listQuery.safeParse({ limit }).success).toBe(false);
    expect(archiveQuery.safeParse({ from: "2026-1-1" }).success).toBe(false);
  });
});

describe("reports", () => {
  it("[I12] any ISO text the schema takes is an instant", () => {
    const two = (max: number) => fc.nat(max).map((n) => `${n}`.padStart(2, "0"));
    fc.assert(
      fc.property(two(13), two(32), two(25), two(61), (month, day, hour, minute) => {
        const at = `2026-${month}-${day}T${hour}:${minute}`;
        expect(report.safeParse({ at, metrics: {} }).success).toBe(parseIso(at) !== undefined);
      }),
    );
  });

  it("[I17] a metric called __proto__ is seen and refused, and pollutes nothing", () => {
    const value = JSON.parse('{"metrics":{"__proto__":{"polluted":1},"a":1}}');
    expect(report.safeParse(value).error?.issues).toMatchObject([{ path: ["metrics", "__proto__"] }]);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  it("[I8] a body is one report or an array of them", () => {
    for (const body of [{ metrics: { a: 1 } }, [], [{ metrics: {} }]]) {
      expect(telemetryBody.safeParse(body).success).toBe(true);
    }
    expect(telemetryBody.safeParse([{ metrics: {} }, 7]).success).toBe(false);
  });
});

describe("answers", () => {
  it("[I8] the answer has a count for each verdict, and no verdict is without", () => {
    const counts = Object.fromEntries(VERDICTS.map((verdict) => [verdict, 0]));
    expect(telemetryAnswer.safeParse({ ...counts, problems: [] }).success).toBe(true);
    for (const verdict of VERDICTS) {
      const { [verdict]: _, ...others } = counts;
      expect(telemetryAnswer.safeParse({ ...others, problems: [] }).success).toBe(false);
    }
  });

  it("[I4] every problem code has an HTTP status of a refusal, and fits the document", () => {
    for (const code of PROBLEM_CODES) {
      const status = PROBLEM_STATUS[code];
      expect(status).toBeGreaterThanOrEqual(400);
      const document = { type: "about:blank", title: code, status, code, detail: "…" };
      expect(problemDocument.safeParse(document).success).toBe(true);
    }
    expect(PROBLEM_STATUS).toMatchObject({
      token_missing: 401,
      token_expired: 401,
      token_invalid: 401,
      forbidden: 403,
    });
  });

  it("[I18] a problem frame carries every reading code and those of frames, and no other", () => {
    const frame = (code: string) =>
      serverFrame.safeParse({ type: "problem", index: 0, code, message: "" }).success;
    for (const code of [
      ...READING_CODES,
      "unsupported_frame",
      "frame_too_large",
      "invalid_frame",
      "missing_seq",
    ]) {
      expect(frame(code)).toBe(true);
    }
    expect(frame("internal")).toBe(false);
  });
});

describe("tenant settings", () => {
  it("[S9] have defaults, and a change names only what changes", () => {
    expect(tenantSettings.parse({})).toEqual(defaultSettings);
    expect(tenantSettingsChange.parse({ commitEveryMs: 5 })).toEqual({ commitEveryMs: 5 });
    expect(tenantSettingsChange.parse({})).toEqual({});
  });

  it.each([
    { commitEveryMs: -1 },
    { commitEveryMs: 15 * 60_000 + 1 },
    { commitEveryMs: 0.5 },
    { latenessHorizonMs: 3_599_999 },
    { latenessHorizonMs: 90 * 86_400_000 + 1 },
    { plan: "gold" },
    { retention: { rawDays: 0, hourlyDays: 1, archiveDays: null } },
    { retention: { rawDays: 1 } },
  ])("[S9] values out of their limits are refused: %j", (change) => {
    expect(tenantSettingsChange.safeParse(change).success).toBe(false);
  });
});
