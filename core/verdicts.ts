// Readings by verdict: a count for each of VERDICTS, in their order, where they are counted; by name where they are told.
import { VERDICTS, type Verdict } from "../schemas/codes.ts";
import type { VerdictCounts, Verdicts } from "../schemas/message.ts";

/** Returns counts of no readings. */
export const noCounts = (): VerdictCounts => [0, 0, 0, 0, 0, 0];

/** Returns verdicts on no readings. */
export const noVerdicts = (): Verdicts => ({ counts: noCounts(), problems: [] });

/** Returns the index of a verdict's count. */
export const placeOf = (verdict: Verdict): number => VERDICTS.indexOf(verdict);

/** Adds `more` to `counts`, in place. */
export function addCounts(counts: VerdictCounts, more: Readonly<VerdictCounts>): void {
  for (let i = 0; i < counts.length; i++) counts[i]! += more[i]!;
}

/** Returns the counts by verdict, as answers name them. */
export const named = ([
  stored,
  duplicate,
  corrected,
  late,
  quarantined,
  refused,
]: Readonly<VerdictCounts>): Record<Verdict, number> => ({
  stored,
  duplicate,
  corrected,
  late,
  quarantined,
  refused,
});
