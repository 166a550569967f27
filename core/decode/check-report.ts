// One parsed JSON value → a checked report, or the problems that say why not. The hand-written twin of
// `schemas/reading.ts` `report` (a test proves them equal): zod would cost 150 to 310 ns a reading here.
import type { ReadingCode, ReadingProblem } from "../../schemas/codes.ts";
import {
  AT_AHEAD_MS_MAX,
  AT_MICROSECONDS_ABOVE,
  AT_SECONDS_BELOW,
  METRIC_NAME_BYTES_MAX,
  METRICS_PER_REPORT_MAX,
  NAME_PATTERN,
} from "../../schemas/limits.ts";
import { instantOf } from "./instant.ts";
import { isNotFinite } from "./parse-json.ts";

export interface CheckedReport {
  /** Absent when the report did not name one. */
  device: string | undefined;
  /** Epoch ms, an integer; the receipt time when the report had none. */
  at: number;
  names: string[];
  values: number[];
}

/** What came of one report: its good readings, if any, and the readings refused. */
export interface CheckOutcome {
  report: CheckedReport | undefined;
  refused: number;
  problems: ReadingProblem[];
}

/** Checks a report received at `nowMs`; `index` is its place in the request. Never throws. */
export function checkReport(value: unknown, index: number, nowMs: number): CheckOutcome {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(index, 1, "invalid_report", `a report is an object with "metrics"; got ${describe(value)}`);
  }
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
  const report: CheckedReport = { device, at: Math.floor(instant!), names: [], values: [] };
  for (const name of names) {
    const reading = (metrics as Record<string, unknown>)[name];
    const problem = checkReading(name, reading);
    if (problem === undefined) {
      report.names.push(name);
      report.values.push(reading as number);
    } else {
      problems.push({ index, metric: shortened(name), ...problem });
    }
  }
  return { report: report.names.length > 0 ? report : undefined, refused: problems.length, problems };
}

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

/** Why `name` is no metric name, or undefined. */
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
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(name)) {
    return { code: "invalid_metric_name", message: "a metric name has no control characters" };
  }
  if (goodNames.size >= GOOD_NAMES_MAX) goodNames.clear();
  goodNames.add(name);
  return undefined;
}

function checkAt(instant: number | undefined, given: unknown, nowMs: number): Refusal | undefined {
  if (instant === undefined) {
    return { code: "invalid_at", message: `"at" is epoch milliseconds or ISO 8601; got ${describe(given)}` };
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

const refuse = (index: number, readings: number, code: ReadingCode, message: string): CheckOutcome => ({
  report: undefined,
  refused: Math.max(1, readings),
  problems: [{ index, code, message }],
});

const shortened = (text: string) => (text.length > 64 ? `${text.slice(0, 61)}...` : text);

/** A value as a message may quote it: its kind, and itself when short. */
export function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  return `${typeof value} ${shortened(typeof value === "string" ? JSON.stringify(value) : String(value))}`;
}
