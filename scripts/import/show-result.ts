// What came of an import → a few lines for people.
import type { JobAnswer } from "../../schemas/job.ts";
import type { ImportResult } from "./run-import.ts";
import { summaryOf } from "./watch-job.ts";

const PROBLEMS_SHOWN = 20;

/** `job` as it was last seen. Only when it is done is it known what of the readings was known before. */
export function showImport(result: ImportResult, job: JobAnswer): string {
  const { rows, refused, problems } = result;
  const shown = problems
    .slice(0, PROBLEMS_SHOWN)
    .map(({ place, code, message }) => `  ${place} ${code}: ${message}`);
  if (problems.length > PROBLEMS_SHOWN)
    shown.push(`  … and ${problems.length - PROBLEMS_SHOWN} more; --json lists up to 1,000`);
  const counts = [
    ...(job.status === "done" ? storedCounts(result, job) : sentCounts(result)),
    `${refused} refused`,
  ];
  return [`${rows} rows: ${counts.join(", ")}`, ...shown, summaryOf(job)].join("\n");
}

/** Of every reading that was taken, what became of it; where all went well they and the refused ones add up. */
function storedCounts(
  { readings, posted, postedKnown, postedCorrected }: ImportResult,
  { progress: { counts } }: JobAnswer,
): string[] {
  const { stored = 0, duplicate = 0, corrected = 0, deleted = 0 } = counts;
  const again = readings - stored - duplicate - corrected - deleted;
  return [
    `${stored} imported`,
    `${duplicate + postedKnown} known already`,
    `${corrected + postedCorrected} corrected`,
    `${posted} posted`,
    ...(again > 0 ? [`${again} given again in the files, where the later one counts`] : []),
    ...(deleted > 0 ? [`${deleted} of devices deleted meanwhile`] : []),
  ];
}

const sentCounts = ({ readings, posted, postedKnown, postedCorrected }: ImportResult) => [
  `${readings} readings uploaded`,
  `${posted + postedKnown + postedCorrected} posted`,
];
