// Parsed reports of one request → packed reports of each device, and the verdicts already known.
import type { ReadingProblem } from "../../schemas/codes.ts";
import { PROBLEMS_LISTED_MAX } from "../../schemas/limits.ts";
import { ReportPacker } from "../report/pack.ts";
import { checkReport, describe } from "./check-report.ts";
import type { ParsedReport } from "./parse-json.ts";

export interface GroupedReports {
  devices: Map<string, ReportPacker>;
  /** Readings refused at the door; the devices judge the rest. */
  refused: number;
  /** The first hundred problems, by index. */
  problems: ReadingProblem[];
  /** How many reports were refused whole for their shape, and how many because the token speaks for another device. */
  shapeless: number;
  mismatched: number;
}

/**
 * Checks each report and sorts it to its device. `ownDevice`: the one device a device token speaks for; without it (a
 * gateway) every report must name one.
 */
export function groupReports(
  parsed: readonly ParsedReport[],
  ownDevice: string | undefined,
  nowMs: number,
): GroupedReports {
  const grouped: GroupedReports = {
    devices: new Map(),
    refused: 0,
    problems: [],
    shapeless: 0,
    mismatched: 0,
  };
  const { devices, problems } = grouped;
  const refuse = (readings: number, problem: ReadingProblem) => {
    grouped.refused += readings;
    if (problems.length < PROBLEMS_LISTED_MAX) problems.push(problem);
  };
  for (const [index, item] of parsed.entries()) {
    if (!item.ok) {
      grouped.shapeless += 1;
      refuse(1, { index, code: "malformed_json", message: item.message });
      continue;
    }
    const { report, refused, problems: found } = checkReport(item.value, index, nowMs);
    grouped.refused += refused;
    if (found[0]?.code === "invalid_report") grouped.shapeless += 1;
    if (found.length > 0) problems.push(...found.slice(0, PROBLEMS_LISTED_MAX - problems.length));
    if (report === undefined) continue;
    const device = report.device ?? ownDevice;
    if (device === undefined) {
      const message = 'a gateway\'s report names its "device"';
      refuse(report.values.length, { index, code: "device_missing", message });
    } else if (ownDevice !== undefined && device !== ownDevice) {
      grouped.mismatched += 1;
      const message = `the token speaks for ${ownDevice}, not for ${describe(device)}; use a gateway token for several`;
      refuse(report.values.length, { index, code: "device_mismatch", message });
    } else {
      let packer = devices.get(device);
      if (packer === undefined) {
        packer = new ReportPacker();
        devices.set(device, packer);
      }
      packer.add(index, report.at, nowMs, report.names, report.values);
    }
  }
  return grouped;
}
