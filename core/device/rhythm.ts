// When reports of a device were received → how far apart they usually are.

/**
 * How many gaps are remembered: one outage among them is outvoted, and so is a burst of requests within each period.
 */
const GAPS_KEPT = 8;

/**
 * Appends the gap between a receipt and the one before to `gapsMs`, in place, and forgets the oldest of more than
 * eight. Reports received together have no gap, and are ignored.
 */
export function noteGap(gapsMs: number[], gapMs: number): void {
  if (gapMs <= 0) return;
  gapsMs.push(gapMs);
  if (gapsMs.length > GAPS_KEPT) gapsMs.shift();
}

/**
 * Returns how far apart the device's reports usually are: the second longest of its last gaps, in ms. The longest may
 * be an outage, and the shortest are requests that belong together. Null when the device reported at most once.
 */
export function reportEveryMs(gapsMs: readonly number[]): number | null {
  const longestFirst = gapsMs.toSorted((a, b) => b - a);
  return longestFirst[1] ?? longestFirst[0] ?? null;
}
