// NDJSON lines of an import → the readings that can be taken, and why the others cannot.
import { NOTE_CODES, type ReadingCode } from "../../schemas/codes.ts";
import { PROBLEMS_LISTED_MAX, REVISION_MAX } from "../../schemas/limits.ts";
import type { TenantSettings } from "../../schemas/tenant.ts";
import { checkReport, describe } from "../decode/check-report.ts";
import { type ParsedValue, parseNumbers } from "../decode/parse-json.ts";
import { wholeFilesFromMs } from "../retention.ts";

/**
 * Why a line of an import is refused: the codes of reports, `at_missing`, because an import has no receipt time to
 * stand in, and `too_recent`, because devices may still send readings within the lateness horizon.
 */
export type ImportCode = ReadingCode | "at_missing" | "too_recent";

/**
 * Why a line, or one reading of it, is refused. `line` counts from 1, as editors do; `metric` is absent when the
 * whole line is meant.
 */
export interface ImportProblem {
  line: number;
  metric?: string;
  code: ImportCode;
  message: string;
}

/** The readings of a line that are taken: `names` and `values` are parallel. */
export interface CheckedLine {
  device: string;
  at: number;
  /** Of two values of a reading that of the higher revision counts; absent: above every revision. */
  revision?: number;
  names: string[];
  values: number[];
}

/** What came of a line. */
export interface LineOutcome {
  /** Undefined when the whole line is refused. */
  taken: CheckedLine | undefined;
  /** How many of its readings are refused. */
  refused: number;
  problems: ImportProblem[];
}

/** The instants that an import may hold, half-open, epoch ms. */
export interface ImportSpan {
  fromMs: number;
  toMs: number;
}

/**
 * Returns the instants that an import may hold: from the oldest that the archive keeps to the newest that devices may
 * not send any more.
 */
export const importSpan = (settings: TenantSettings, nowMs: number): ImportSpan => ({
  fromMs: wholeFilesFromMs(settings, nowMs),
  toMs: nowMs - settings.latenessHorizonMs,
});

/**
 * Checks the value of one line as a report is checked; besides, it has to name its device and its `at`, which lies in
 * the span, and may say its revision. Every problem of the line is listed, the one that refuses all of it first. `line`
 * counts from 1.
 * @param written the same line with the text of numbers that are not in `value` as they were written, see `ParsedValue`
 */
export function checkLine(
  value: unknown,
  line: number,
  nowMs: number,
  { fromMs, toMs }: ImportSpan,
  written?: unknown,
): LineOutcome {
  const { reported, revision } = splitRevision(value);
  const { report, refused, problems } = checkReport(reported, 0, nowMs, written);
  const own = problems.map(({ index: _index, ...problem }) => ({ line, ...problem }));
  if (report === undefined) return { taken: undefined, refused, problems: own };
  const { device, at, names, values } = report;
  const refuse = (code: ImportCode, message: string): LineOutcome => ({
    taken: undefined,
    refused: refused + values.length,
    problems: [{ line, code, message }, ...own],
  });
  if (device === undefined) return refuse("device_missing", 'a line names its "device"');
  if ((reported as { at?: unknown }).at === undefined) {
    return refuse("at_missing", 'a line says when, in "at": epoch ms or ISO 8601');
  }
  if (revision !== undefined && !isRevision(revision)) {
    const message = `"revision" is a whole number from 0 to ${REVISION_MAX}; got ${describe(revision)}`;
    return refuse("invalid_report", message);
  }
  if (at >= toMs) {
    const message = `"at" ${iso(at)} is not before ${iso(toMs)}, the lateness horizon; post these to /v1/telemetry`;
    return refuse("too_recent", message);
  }
  if (at < fromMs) {
    const message = `"at" ${iso(at)} is before ${iso(fromMs)}: the tenant's archive keeps nothing so old`;
    return refuse("too_old", message);
  }
  const taken = { device, at, names, values, ...(revision === undefined ? {} : { revision }) };
  return { taken, refused, problems: own };
}

/** Whether a code is said of readings that are taken. */
export const isNote = (code: string): boolean => (NOTE_CODES as ReadonlySet<string>).has(code);

/** Whether a value may be a revision: a whole number from 0 that fits INT32. */
export const isRevision = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= REVISION_MAX;

/** The report of a line apart from its revision, which a report has not; copied only where there is one. */
function splitRevision(value: unknown): { reported: unknown; revision?: unknown } {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "revision"))
    return { reported: value };
  const { revision, ...reported } = value as { revision: unknown };
  return { reported, revision };
}

const iso = (ms: number) => new Date(ms).toISOString();

/**
 * Checks the lines of an NDJSON text, and calls `take` with what is taken of each. Empty lines are skipped, and
 * counted as lines. Returns how many readings are taken and refused, and the first hundred problems by line; what is
 * said of a reading that was taken is listed only where refusals leave room.
 */
export function checkLines(
  text: string,
  nowMs: number,
  span: ImportSpan,
  take: (line: CheckedLine) => void,
): { readings: number; refused: number; problems: ImportProblem[] } {
  const counted = { readings: 0, refused: 0, problems: [] as ImportProblem[] };
  const notes: ImportProblem[] = []; // apart: what was refused is listed first of all
  const note = (refused: number, problems: readonly ImportProblem[]) => {
    counted.refused += refused;
    for (const problem of problems) {
      const list = isNote(problem.code) ? notes : counted.problems;
      if (list.length < PROBLEMS_LISTED_MAX) list.push(problem);
    }
  };
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    let parsed: ParsedValue;
    try {
      parsed = parseNumbers(line);
    } catch (error) {
      note(1, [
        {
          line: index + 1,
          code: "malformed_json",
          message: `the line is not JSON: ${(error as Error).message}`,
        },
      ]);
      continue;
    }
    const { taken, refused, problems } = checkLine(parsed.value, index + 1, nowMs, span, parsed.written);
    note(refused, problems);
    if (taken === undefined) continue;
    counted.readings += taken.values.length;
    take(taken);
  }
  const listed = [...counted.problems, ...notes].slice(0, PROBLEMS_LISTED_MAX);
  return { ...counted, problems: listed.sort((a, b) => a.line - b.line) };
}
