// What the chart says in words about an instant: the point of each track nearest to it. Pure.
import { formatCount, formatInstant, formatValue } from "../base/format.ts";
import { type Track, windowAt } from "./track.ts";

export interface ReadoutEntry {
  metric: string;
  /** `21.50`, or `—` where the track has no point near. */
  value: string;
  /** `20.10–22.40` of a window, "" for a reading. */
  spread: string;
  /** What the value is, and of when: `newest reading, 22 Nov 14:05:09`, `mean of 1 h from 22 Nov 14:00:00`; "" without one. */
  what: string;
}

const WIDTHS: Record<number, string> = { 60000: "1 min", 300000: "5 min", 3600000: "1 h", 86400000: "1 d" };

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
export function readoutOf(track: Track, atMs: number | null, decimals: number, nowMs: number): ReadoutEntry {
  const index = nearestPoint(track, atMs ?? Number.POSITIVE_INFINITY);
  if (index === null) return { metric: track.metric, value: "—", spread: "", what: "" };
  const low = track.low[index] ?? null;
  const high = track.high[index] ?? null;
  return {
    metric: track.metric,
    value: formatValue(track.value[index]!, decimals),
    spread:
      low === null || high === null || low === high
        ? ""
        : `${formatValue(low, decimals)} – ${formatValue(high, decimals)}`,
    what: `${atMs === null ? "newest " : ""}${whatOf(track, index, nowMs)}`,
  };
}

function whatOf(track: Track, index: number, nowMs: number): string {
  const { at, windowMs } = track;
  if (windowMs === 0) return `reading, ${formatInstant(at[index]!, nowMs)}`;
  const { startMs, endMs } = windowAt(track, at[index]!);
  const isOpen = endMs > nowMs;
  const thinned = track.thinned.get(startMs);
  const kept = thinned === undefined ? "" : `, ${formatCount(thinned)} more readings thinned`;
  return `mean of ${WIDTHS[windowMs] ?? "a window"} from ${formatInstant(startMs, nowMs)}${isOpen ? ", so far" : ""}${kept}`;
}

function skipBreaks(track: Track, from: number, step: 1 | -1): number | null {
  for (let index = from; index >= 0 && index < track.at.length; index += step) {
    if (track.value[index] !== null) return index;
  }
  return null;
}
