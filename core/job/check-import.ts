// NDJSON lines of an import → the readings that can be taken, and why the others cannot.
import type { ReadingCode } from "../../schemas/codes.ts";
import { PROBLEMS_LISTED_MAX } from "../../schemas/limits.ts";
import type { TenantSettings } from "../../schemas/tenant.ts";
import { checkReport } from "../decode/check-report.ts";
import { parseLenient } from "../decode/parse-json.ts";

/** Beyond the codes of reports: an import has no arrival, and what is still within the lateness horizon is the device's. */
export type ImportCode = ReadingCode | "at_missing" | "too_recent";

/** `line` counts from 1, as editors do. */
export interface ImportProblem {
  line: number;
  metric?: string;
  code: ImportCode;
  message: string;
}

export interface CheckedLine {
  device: string;
  at: number;
  names: string[];
  values: number[];
}

export interface LineOutcome {
  taken: CheckedLine | undefined;
  refused: number;
  problems: ImportProblem[];
}

/** What an import may hold. */
export interface ImportSpan {
  fromMs: number;
  toMs: number;
}

const DAY_MS = 86_400_000;

/** From here on the archive has all its days; of an older one, retention may just be deleting. */
export const keptFromMs = ({ retention }: TenantSettings, nowMs: number) =>
  retention.archiveDays === null ? 0 : nowMs - (retention.archiveDays - 1) * DAY_MS;

/** From what the archive still keeps to what devices may still send. */
export const importSpan = (settings: TenantSettings, nowMs: number): ImportSpan => ({
  fromMs: keptFromMs(settings, nowMs),
  toMs: nowMs - settings.latenessHorizonMs,
});

/** Checks one value as a report is checked; it names its device and its instant, which lies in the span. */
export function checkLine(
  value: unknown,
  line: number,
  nowMs: number,
  { fromMs, toMs }: ImportSpan,
): LineOutcome {
  const refuse = (readings: number, code: ImportCode, message: string): LineOutcome => ({
    taken: undefined,
    refused: readings,
    problems: [{ line, code, message }],
  });
  const { report, refused, problems } = checkReport(value, 0, nowMs);
  const own = problems.map(({ index: _index, ...problem }) => ({ line, ...problem }));
  if (report === undefined) return { taken: undefined, refused, problems: own };
  const { device, at, names, values } = report;
  if (device === undefined) return refuse(values.length, "device_missing", 'a line names its "device"');
  if ((value as { at?: unknown }).at === undefined) {
    return refuse(values.length, "at_missing", 'a line says when, in "at": epoch ms or ISO 8601');
  }
  if (at >= toMs) {
    const message = `"at" ${iso(at)} is not before ${iso(toMs)}, the lateness horizon; post these to /v1/telemetry`;
    return refuse(values.length, "too_recent", message);
  }
  if (at < fromMs) {
    const message = `"at" ${iso(at)} is before ${iso(fromMs)}: the tenant's archive keeps nothing so old`;
    return refuse(values.length, "too_old", message);
  }
  return { taken: { device, at, names, values }, refused, problems: own };
}

const iso = (ms: number) => new Date(ms).toISOString();

/** Checks the lines of an NDJSON text; empty ones are skipped and counted as lines. Gives the first hundred problems. */
export function checkLines(
  text: string,
  nowMs: number,
  span: ImportSpan,
  take: (line: CheckedLine) => void,
): { readings: number; refused: number; problems: ImportProblem[] } {
  const counted = { readings: 0, refused: 0, problems: [] as ImportProblem[] };
  const note = (refused: number, problems: readonly ImportProblem[]) => {
    counted.refused += refused;
    counted.problems.push(...problems.slice(0, PROBLEMS_LISTED_MAX - counted.problems.length));
  };
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    let value: unknown;
    try {
      value = parseLenient(line);
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
    const { taken, refused, problems } = checkLine(value, index + 1, nowMs, span);
    note(refused, problems);
    if (taken === undefined) continue;
    counted.readings += taken.values.length;
    take(taken);
  }
  return counted;
}
