// What the chart says in words about an instant: the point of each track nearest to it. Pure.
import { formatValue } from "./format.ts";
import type { Track } from "./track.ts";

export interface ReadoutEntry {
  metric: string;
  /** `21.50`, or `—` where the track has no point near. */
  value: string;
  /** `20.10–22.40` of a window, "" for a reading. */
  spread: string;
}

/** The index of the point nearest to `atMs`, breaks skipped; null for an empty track. */
export function nearestPoint(track: Track, atMs: number): number | null {
  let low = 0;
  let high = track.at.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (track.at[middle]! < atMs) low = middle + 1;
    else high = middle;
  }
  const after = skipBreaks(track, low, 1);
  const before = skipBreaks(track, low - 1, -1);
  if (after === null || before === null) return after ?? before;
  return track.at[after]! - atMs < atMs - track.at[before]! ? after : before;
}

/** `atMs` null: the newest points. */
export function readoutOf(track: Track, atMs: number | null, decimals: number): ReadoutEntry {
  const index = nearestPoint(track, atMs ?? Number.POSITIVE_INFINITY);
  if (index === null) return { metric: track.metric, value: "—", spread: "" };
  const low = track.low[index] ?? null;
  const high = track.high[index] ?? null;
  return {
    metric: track.metric,
    value: formatValue(track.value[index]!, decimals),
    spread:
      low === null || high === null ? "" : `${formatValue(low, decimals)} – ${formatValue(high, decimals)}`,
  };
}

function skipBreaks(track: Track, from: number, step: 1 | -1): number | null {
  for (let index = from; index >= 0 && index < track.at.length; index += step) {
    if (track.value[index] !== null) return index;
  }
  return null;
}
