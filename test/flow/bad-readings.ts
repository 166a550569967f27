// Reports that are refused, wholly or by one reading, by the rule that refuses them.

/** `text`: as it is written, for not all of it is JSON. */
export type BadReading = [
  what: string,
  code: string,
  text: string,
  says: RegExp,
  metric?: string,
  refused?: number,
];

const NOW = Date.now();
const HOUR_MS = 3_600_000;
/** A name of 1,000 characters. */
export const LONG = "x".repeat(1_000);
const LONG_SHOWN = `${"x".repeat(61)}...`;
const MANY = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`m${i}`, i]));

const at = (value: unknown) => JSON.stringify({ at: value, metrics: { temp: 1 } });
const temp = (text: string) => `{"metrics":{"temp":${text}}}`;
const named = (name: string) => JSON.stringify({ metrics: { [name]: 1 } });

export const NO_NUMBERS: BadReading[] = [
  ["a text", "not_a_number", temp('"21.5"'), /string "21\.5"/, "temp"],
  ["true", "not_a_number", temp("true"), /boolean true/, "temp"],
  ["null", "not_a_number", temp("null"), /null/, "temp"],
  ["an object", "not_a_number", temp('{"value":1}'), /an object/, "temp"],
  ["100,000 levels", "not_a_number", temp(`${"[".repeat(1e5)}${"]".repeat(1e5)}`), /an array/, "temp"],
  ["NaN", "not_finite", temp("NaN"), /finite.*NaN/, "temp"],
  ["Infinity", "not_finite", temp("Infinity"), /finite.*Infinity/, "temp"],
  ["-Infinity", "not_finite", temp("-Infinity"), /finite.*-Infinity/, "temp"],
  ["-nan, as C prints it", "not_finite", temp("-nan"), /finite.*-nan/, "temp"],
  ["inf, as Go prints it", "not_finite", temp("+inf"), /finite.*\+inf/, "temp"],
  ["-nan(ind), as Windows prints it", "not_finite", temp("-nan(ind)"), /finite.*-nan\(ind\)/, "temp"],
  ["inf as text", "not_finite", temp('"inf"'), /finite.*inf/, "temp"],
  ["1e999", "not_finite", temp("1e999"), /finite.*Infinity/, "temp"],
  ["NaN as text", "not_finite", temp('"NaN"'), /finite.*NaN/, "temp"],
];

export const BEYOND_LIMITS: BadReading[] = [
  ["a name of 1,000 characters", "invalid_metric_name", named(LONG), /128.*1000/, LONG_SHOWN],
  ["a name with a control character", "invalid_metric_name", named("a\u0007"), /control/, "a\u0007"],
  ["a name of nothing", "invalid_metric_name", named(""), /1 to 128/, ""],
  [
    "10,000 metrics",
    "too_many_metrics",
    JSON.stringify({ metrics: MANY }),
    /1000.*10000.*split/,
    undefined,
    10_000,
  ],
];

export const WRONG_TIMES: BadReading[] = [
  ["seconds", "at_in_seconds", at(Math.floor(NOW / 1_000)), /seconds.*milliseconds/],
  ["microseconds", "at_in_microseconds", at(NOW * 1_000), /micro.*milliseconds/],
  ["nanoseconds", "at_in_microseconds", at(NOW * 1_000_000), /nano.*milliseconds/],
  ["the digits of a date", "at_in_digits", at(202601100600), /digits of a date.*2026-01-10T06:00:00Z/],
  ["the digits of a day", "at_in_digits", at("20260110"), /digits of a date.*2026-01-10T00:00:00Z/],
  ["a day", "invalid_at", at("2026-01-10"), /a date with its time/],
  ["a minute of 61 seconds", "invalid_at", at("2026-01-10T06:00:60Z"), /leap second/],
  ["an hour ahead", "at_in_future", at(NOW + HOUR_MS), /ms ahead.*600000/],
  ["the year 2100", "at_in_future", at("2100-01-01T00:00:00Z"), /2100.*ahead/],
  ["before 1973", "too_old", at("1970-01-01T00:00:00Z"), /1973.*clock/],
  ["no time", "invalid_at", at("yesterday"), /ISO 8601.*yesterday/],
  ["the 31st of April", "invalid_at", at("2026-04-31T00:00:00Z"), /2026-04-31/],
  ["an object", "invalid_at", at({}), /an object/],
];

export const TOO_OLD: BadReading[] = [
  ["a year ago", "too_old", at(NOW - 365 * 24 * HOUR_MS), /before.*horizon \(7 days\)/],
  ["eight days ago", "too_old", at(NOW - 8 * 24 * HOUR_MS), /before.*horizon \(7 days\)/],
];

export const WRONG_SHAPES: BadReading[] = [
  ["no object", "invalid_report", "[1]", /an array/],
  ["metrics that are none", "invalid_report", '{"metrics":7}', /number 7/],
  ["a device's name with a slash", "invalid_device", '{"device":"a/b","metrics":{"x":1}}', /a\/b/],
];
