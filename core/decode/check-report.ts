// One parsed JSON value → a checked report, or the problems that say why not. The hand-written twin of
// `schemas/reading.ts` `report` (a test proves them equal): zod would cost 150 to 310 ns a reading here.
import type { ReadingCode, ReadingProblem } from "../../schemas/codes.ts";
import { isLeapSecond, isoText, spelledIn } from "../../schemas/instant.ts";
import {
  AT_AHEAD_MS_MAX,
  AT_DIGITS_BELOW,
  AT_MICROSECONDS_ABOVE,
  AT_SECONDS_BELOW,
  METRIC_NAME_BYTES_MAX,
  METRICS_PER_REPORT_MAX,
  NAME_PATTERN,
} from "../../schemas/limits.ts";
import { oddCharacter } from "../../schemas/one-line.ts";
import type { Report } from "../../schemas/reading.ts";
import { instantOf } from "./instant.ts";
import { isNotFinite } from "./parse-json.ts";
import { unknownNames } from "./unknown-names.ts";

/** The good readings of a report: `names` and `values` are parallel. */
export interface CheckedReport {
  /** Absent when the report did not name one. */
  device: string | undefined;
  /** Epoch ms, an integer; the receipt time when the report had none. */
  at: number;
  names: string[];
  values: number[];
}

/**
 * What came of one report: its good readings, if any, and how many were refused. Unknown fields come last in
 * `problems`.
 */
export interface CheckOutcome {
  report: CheckedReport | undefined;
  refused: number;
  problems: ReadingProblem[];
}

/**
 * Checks a report received at `nowMs`; `index` is its place in the request. Never throws.
 * @param written the same report with the text of numbers that are not in `value` as they were written, see `ParsedValue`
 */
export function checkReport(value: unknown, index: number, nowMs: number, written?: unknown): CheckOutcome {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(index, 1, "invalid_report", `a report is an object with "metrics"; got ${describe(value)}`);
  }
  const outcome = checkFields(value, index, nowMs, written);
  const unknown = unknownFields(value);
  if (unknown !== undefined) {
    outcome.problems.push({ index, code: "unknown_field", message: unknownNames("field", unknown, FIELDS) });
  }
  return outcome;
}

const FIELDS: readonly string[] = ["at", "device", "metrics"] satisfies (keyof Report)[];

/** Allocates nothing for a report that has none. */
function unknownFields(report: object): string[] | undefined {
  let unknown: string[] | undefined;
  for (const field in report) {
    if (FIELDS.includes(field)) continue;
    unknown ??= [];
    unknown.push(field);
  }
  return unknown;
}

function checkFields(value: object, index: number, nowMs: number, written: unknown): CheckOutcome {
  const { at, device, metrics } = value as { at?: unknown; device?: unknown; metrics?: unknown };
  if (typeof metrics !== "object" || metrics === null || Array.isArray(metrics)) {
    return refuse(
      index,
      1,
      "invalid_report",
      `"metrics" is an object of name: number; got ${describe(metrics)}`,
    );
  }
  const names = Object.keys(metrics);
  if (names.length > METRICS_PER_REPORT_MAX) {
    const message = `a report has at most ${METRICS_PER_REPORT_MAX} metrics; this one has ${names.length}: split it`;
    return refuse(index, names.length, "too_many_metrics", message);
  }
  if (device !== undefined && !(typeof device === "string" && NAME_PATTERN.test(device))) {
    const message = `"device" is 1 to 128 of A-Z a-z 0-9 . _ : - and starts with a letter or digit; got ${describe(device)}`;
    return refuse(index, names.length, "invalid_device", message);
  }
  const instant = at === undefined ? nowMs : instantOf(at);
  const atProblem = checkAt(instant, at, nowMs);
  if (atProblem !== undefined) return refuse(index, names.length, atProblem.code, atProblem.message);

  const problems: ReadingProblem[] = [];
  const notes: ReadingProblem[] = [];
  if (typeof at === "string" && isLeapSecond(at)) {
    const message = `"at" ${at} is a leap second, which epoch ms do not count; the readings are kept as of ${isoText(instant!)}`;
    notes.push({ index, code: "leap_second", message });
  }
  const texts = (written as { metrics?: Record<string, unknown> } | undefined)?.metrics;
  const report: CheckedReport = { device, at: Math.floor(instant!), names: [], values: [] };
  for (const name of names) {
    const reading = (metrics as Record<string, unknown>)[name];
    const text = texts?.[name];
    const isOther = typeof reading === "number" && typeof text === "string";
    const problem = checkReading(name, isOther && !Number.isFinite(reading) ? text : reading);
    if (problem !== undefined) {
      problems.push({ index, metric: shortened(name), ...problem });
      continue;
    }
    report.names.push(name);
    report.values.push(reading as number);
    if (isOther) notes.push({ index, metric: shortened(name), ...precisionLost(text, reading) });
  }
  const refused = problems.length;
  return { report: report.names.length > 0 ? report : undefined, refused, problems: [...problems, ...notes] };
}

const precisionLost = (text: string, value: number): Refusal => ({
  code: "precision_lost",
  message: `${shortened(text)} is kept as ${value}: a reading is a float64, which has not every integer beyond 2^53; send a difference, or high and low parts as two metrics`,
});

interface Refusal {
  code: ReadingCode;
  message: string;
}

function checkReading(name: string, value: unknown): Refusal | undefined {
  if (typeof value !== "number") {
    if (isNotFinite(value))
      return { code: "not_finite", message: `a reading is a finite number; got ${value}` };
    return { code: "not_a_number", message: `a reading is a number; got ${describe(value)}` };
  }
  if (!Number.isFinite(value))
    return { code: "not_finite", message: `a reading is a finite number; got ${value}` };
  return checkMetricName(name);
}

/** Names seen and found good: devices repeat the same few for years. Emptied when full, so no device can fill memory. */
const goodNames = new Set<string>();
const GOOD_NAMES_MAX = 10_000;

/** Returns why `name` is no metric name; undefined when it is one. */
export function checkMetricName(name: string): Refusal | undefined {
  if (goodNames.has(name)) return undefined;
  const bytes = new TextEncoder().encode(name).length;
  if (bytes === 0 || bytes > METRIC_NAME_BYTES_MAX) {
    const message = `a metric name has 1 to ${METRIC_NAME_BYTES_MAX} bytes; this one has ${bytes}`;
    return { code: "invalid_metric_name", message };
  }
  if (!name.isWellFormed()) {
    return {
      code: "invalid_metric_name",
      message: "a metric name is well-formed Unicode; this one has half a surrogate pair",
    };
  }
  if (name === "__proto__")
    return { code: "invalid_metric_name", message: "a metric cannot be called __proto__" };
  const odd = oddCharacter(name);
  if (odd !== undefined) {
    return {
      code: "invalid_metric_name",
      message: `a metric name has no control characters; this one has ${odd}`,
    };
  }
  if (goodNames.size >= GOOD_NAMES_MAX) goodNames.clear();
  goodNames.add(name);
  return undefined;
}

function checkAt(instant: number | undefined, given: unknown, nowMs: number): Refusal | undefined {
  if (instant !== undefined && instant >= AT_DIGITS_BELOW && instant <= nowMs + AT_AHEAD_MS_MAX)
    return undefined;
  if (typeof given === "number" || typeof given === "string") {
    const spelled = spelledIn(given);
    if (spelled !== undefined && isNearer(spelled, given, nowMs)) {
      const message = `"at" ${given} looks like the digits of a date written together; send ${isoText(spelled)}, or epoch milliseconds`;
      return { code: "at_in_digits", message };
    }
  }
  if (instant === undefined) {
    const message = `"at" is epoch milliseconds or ISO 8601${remedyFor(given)}; got ${describe(given)}`;
    return { code: "invalid_at", message };
  }
  if (instant >= AT_SECONDS_BELOW && instant <= nowMs + AT_AHEAD_MS_MAX) return undefined;
  if (typeof given === "number" && instant >= 1e8 && instant < AT_SECONDS_BELOW) {
    return { code: "at_in_seconds", message: `"at" ${given} looks like seconds; send milliseconds (× 1000)` };
  }
  if (instant < AT_SECONDS_BELOW) {
    return { code: "too_old", message: `"at" ${given} is before March 1973; is the device's clock set?` };
  }
  if (instant > AT_MICROSECONDS_ABOVE) {
    return {
      code: "at_in_microseconds",
      message: `"at" ${given} looks like micro- or nanoseconds; send milliseconds`,
    };
  }
  const aheadMs = Math.round(instant - nowMs);
  const message = `"at" ${given} is ${aheadMs} ms ahead of the server's clock; at most ${AT_AHEAD_MS_MAX} ms are allowed`;
  return { code: "at_in_future", message };
}

/**
 * Whether the date that digits spell is nearer to the server's clock than what they are as seconds, milli-, micro- or
 * nanoseconds: at a clock of 1976 they are the present in ms.
 */
const isNearer = (spelled: number, given: number | string, nowMs: number) =>
  [1e3, 1, 1e-3, 1e-6].every((unit) => Math.abs(spelled - nowMs) < Math.abs(Number(given) * unit - nowMs));

/** What to do about a text that is nearly an instant. */
function remedyFor(given: unknown): string {
  if (typeof given !== "string") return "";
  if (/^\d{4}-?\d\d-?\d\d$/.test(given)) return ", a date with its time (2026-01-10T06:00:00Z)";
  if (/^\d{1,16}(\.\d{1,9})?$/.test(given)) return ", and a number has no quotes";
  if (/:60(\D|$)/.test(given)) return ", and a leap second is 23:59:60 UTC at the end of a month";
  return "";
}

const refuse = (index: number, readings: number, code: ReadingCode, message: string): CheckOutcome => ({
  report: undefined,
  refused: Math.max(1, readings),
  problems: [{ index, code, message }],
});

const SHOWN_MAX = 64;
/** A text as a message may have it, whoever sent it. */
export const shortened = (text: string) =>
  text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX - 3)}...` : text;

/** Returns a value as a message may quote it: its kind, and the value itself when it is short. */
export function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  if (typeof value === "string") return `string ${shortened(JSON.stringify(value.slice(0, SHOWN_MAX)))}`;
  return `${typeof value} ${shortened(String(value))}`;
}
