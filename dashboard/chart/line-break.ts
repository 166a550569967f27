// Was a device silent between two points, or is that its pace? Decides where a line breaks. Pure.

/** A step this many times longer than those around it is an interruption. */
const LONGER_TIMES = 3;
/** Steps looked at on either side: enough to outvote two outages in a row, few enough to follow a change of pace. */
const AROUND = 3;
/** Enough of a line's end to judge the next step. */
export const TAIL_COUNT = 2 * AROUND + 1;

/** For each point, whether the line is broken before it. No step up to `stepMsMin` is an interruption. */
export function breaksBefore(at: readonly number[], stepMsMin: number): boolean[] {
  return at.map((instant, index) => {
    if (index === 0) return false;
    const stepMs = instant - at[index - 1]!;
    if (stepMs <= stepMsMin) return false;
    return stepMs > LONGER_TIMES * usualStepMs(at, index);
  });
}

/** The median of the steps around the one that ends at `index`, itself included. */
function usualStepMs(at: readonly number[], index: number): number {
  const steps: number[] = [];
  for (let end = Math.max(1, index - AROUND); end <= Math.min(at.length - 1, index + AROUND); end++) {
    steps.push(at[end]! - at[end - 1]!);
  }
  steps.sort((a, b) => a - b);
  return steps[(steps.length - 1) >> 1]!;
}
