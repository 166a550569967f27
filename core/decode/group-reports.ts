// Parsed reports of one request → packed reports of each device, and the verdicts already known.
import { NOTE_CODES, type ReadingCode, type ReadingProblem } from "../../schemas/codes.ts";
import {
  EACH_VERDICT_READINGS_MAX,
  METRIC_NAME_BYTES_MAX,
  PROBLEMS_LISTED_MAX,
} from "../../schemas/limits.ts";
import type { ReadingVerdict } from "../../schemas/reading.ts";
import { ReportPacker } from "../report/pack.ts";
import { type CheckedReport, checkReport, describe, shortened } from "./check-report.ts";
import type { ParsedReport } from "./parse-json.ts";

/** The reports of a request by device, and what was refused before any device saw it. */
export interface GroupedReports {
  devices: Map<string, ReportPacker>;
  /** Readings refused at the door; the devices judge the rest. */
  refused: number;
  /** The first hundred problems, by index. */
  problems: ReadingProblem[];
  /** The first hundred notes, which refuse nothing, by index: apart, for they take the room that is left. */
  notes: ReadingProblem[];
  /** How many reports were refused whole for their shape. */
  shapeless: number;
  /** How many reports were refused because the token speaks for another device. */
  mismatched: number;
  /** The readings refused, one by one, where that is wanted. */
  each?: ReadingVerdict[];
}

/**
 * Checks each report and sorts it to its device. `ownDevice` is the one device that a device token speaks for;
 * undefined for a gateway, whose reports must each name one. `wantsEach`: what is refused is listed reading by reading.
 */
export function groupReports(
  parsed: readonly ParsedReport[],
  ownDevice: string | undefined,
  nowMs: number,
  wantsEach = false,
): GroupedReports {
  const grouped = newGroups();
  if (wantsEach) grouped.each = [];
  const { problems, notes } = grouped;
  for (const [index, item] of parsed.entries()) {
    if (!item.ok) {
      grouped.shapeless += 1;
      refuse(grouped, [undefined], { index, code: "malformed_json", message: item.message });
      continue;
    }
    const { report, refused, problems: found } = checkReport(item.value, index, nowMs, item.written);
    grouped.refused += refused;
    if (refused > 0) list(grouped, refusedOf(item.value, index, report, found));
    if (found[0]?.code === "invalid_report") grouped.shapeless += 1;
    for (const problem of found) {
      const list = NOTE_CODES.has(problem.code) ? notes : problems;
      if (list.length < PROBLEMS_LISTED_MAX) list.push(problem);
    }
    if (report !== undefined) addReport(grouped, report, { index, ownDevice, receivedAt: nowMs });
  }
  return grouped;
}

/** Returns how many readings the devices are to judge. */
export const countReadings = ({ devices }: GroupedReports): number =>
  [...devices.values()].reduce((sum, { readingCount }) => sum + readingCount, 0);

/** Returns groups without reports. */
export const newGroups = (): GroupedReports => ({
  devices: new Map(),
  refused: 0,
  problems: [],
  notes: [],
  shapeless: 0,
  mismatched: 0,
});

/**
 * Sorts a checked report to its device, changing `grouped`. A report without a device is refused when `ownDevice` is
 * undefined (a gateway), and one of another device when it is not.
 */
export function addReport(
  grouped: GroupedReports,
  report: CheckedReport,
  { index, ownDevice, receivedAt }: { index: number; ownDevice: string | undefined; receivedAt: number },
): void {
  const device = report.device ?? ownDevice;
  if (device === undefined) {
    const message = 'a gateway\'s report names its "device"';
    refuse(grouped, report.names, { index, code: "device_missing", message });
  } else if (ownDevice !== undefined && device !== ownDevice) {
    grouped.mismatched += 1;
    const message = `the token speaks for ${ownDevice}, not for ${describe(device)}; use a gateway token for several`;
    refuse(grouped, report.names, { index, code: "device_mismatch", message });
  } else {
    let packer = grouped.devices.get(device);
    if (packer === undefined) {
      packer = new ReportPacker();
      grouped.devices.set(device, packer);
    }
    packer.add(index, report.at, receivedAt, report.names, report.values);
  }
}

function refuse(
  grouped: GroupedReports,
  metrics: readonly (string | undefined)[],
  problem: ReadingProblem,
): void {
  grouped.refused += metrics.length;
  const { index, code } = problem;
  if (grouped.each !== undefined)
    list(
      grouped,
      metrics.map((metric) => refusedReading(index, metric, code)),
    );
  if (grouped.problems.length < PROBLEMS_LISTED_MAX) grouped.problems.push(problem);
}

/** Lists refused readings where that is wanted; one more than may be listed, at most, for then the request is refused. */
function list({ each }: GroupedReports, refused: Iterable<ReadingVerdict>): void {
  if (each === undefined) return;
  for (const reading of refused) {
    if (each.length > EACH_VERDICT_READINGS_MAX) return;
    each.push(reading);
  }
}

/**
 * Returns the readings of a report that its check refused, at least one: those whose names `report`, the good ones in
 * their order, does not have. What has no readings is one without a metric.
 */
function* refusedOf(
  value: unknown,
  index: number,
  report: CheckedReport | undefined,
  problems: readonly ReadingProblem[],
): Generator<ReadingVerdict> {
  const { metrics } = (value ?? {}) as { metrics?: unknown };
  const isObject = typeof metrics === "object" && metrics !== null && !Array.isArray(metrics);
  const names = isObject ? Object.keys(metrics) : [];
  if (names.length === 0) return yield refusedReading(index, undefined, problems[0]!.code);
  let good = 0;
  let bad = 0;
  for (const name of names) {
    if (name === report?.names[good]) good += 1;
    // A report that is refused whole has one problem, without a metric.
    else
      yield refusedReading(
        index,
        name,
        (problems[0]!.metric === undefined ? problems[0] : problems[bad++])!.code,
      );
  }
}

/** Returns the verdict on a reading that is refused. A name that is too long to be one is cut. */
const refusedReading = (index: number, metric: string | undefined, code: ReadingCode): ReadingVerdict => ({
  index,
  ...(metric === undefined
    ? {}
    : { metric: metric.length > METRIC_NAME_BYTES_MAX ? shortened(metric) : metric }),
  verdict: "refused",
  code,
});

/**
 * Returns the problems that an answer lists, at most a hundred, by index: refusals first of all, notes in the room
 * left.
 */
export function listProblems(
  refusals: readonly ReadingProblem[],
  notes: readonly ReadingProblem[],
): ReadingProblem[] {
  const byIndex = (a: ReadingProblem, b: ReadingProblem) => a.index - b.index;
  const listed = refusals.toSorted(byIndex).slice(0, PROBLEMS_LISTED_MAX);
  return [...listed, ...notes.slice(0, PROBLEMS_LISTED_MAX - listed.length)].sort(byIndex);
}
