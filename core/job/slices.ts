// A day's rows of many devices → slices that fit into memory: many small devices together, or a stretch of a large one.

/**
 * Where a walk over a day is: all devices before `device` are done, and of `device` everything before `fromMs`.
 * PERSISTED in progress.
 */
export interface SliceStart {
  device: string;
  fromMs: number;
}

/** How many rows a device has in a row group, and the first and last instant of the group, epoch ms. */
export interface Stretch {
  rows: number;
  minMs: number;
  maxMs: number;
}

/** The most rows and devices of a slice. */
export interface SliceLimits {
  rows: number;
  devices: number;
}

/**
 * Returns the devices of the next slice: as many of those at or after `place` as fit, and at least one, which may
 * have too many rows. Undefined when none is left.
 */
export function nextDevices(
  rowsOf: ReadonlyMap<string, number>,
  place: SliceStart,
  { rows, devices: devicesMax }: SliceLimits,
): string[] | undefined {
  const left = [...rowsOf.keys()].filter((device) => device >= place.device).sort();
  const taken: string[] = [];
  let sum = 0;
  for (const device of left) {
    sum += rowsOf.get(device)!;
    if (taken.length > 0 && (sum > rows || taken.length === devicesMax)) break;
    taken.push(device);
  }
  return taken.length === 0 ? undefined : taken;
}

/**
 * Returns up to where in `[fromMs, endMs)` a device has about `rows` rows, epoch ms, taking those of a row group as
 * evenly spread: at least 1 ms further, at most `endMs`.
 */
export function stretchEnd(
  stretches: readonly Stretch[],
  fromMs: number,
  endMs: number,
  rows: number,
): number {
  const rowsUntil = (toMs: number) =>
    stretches.reduce((sum, { rows, minMs, maxMs }) => {
      const begin = Math.max(minMs, fromMs);
      const end = Math.min(maxMs + 1, toMs);
      return end <= begin ? sum : sum + (rows * (end - begin)) / (maxMs + 1 - minMs);
    }, 0);
  if (rowsUntil(endMs) <= rows) return endMs;
  let low = fromMs + 1;
  let high = endMs;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (rowsUntil(middle) <= rows) low = middle;
    else high = middle;
  }
  return low;
}
