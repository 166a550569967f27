// Readings or shorter windows → windows of a given length, or as a time zone has them.
import type { ThinnedCount } from "../../schemas/message.ts";
import { evenly, type WindowAt } from "./align.ts";
import { merge, type Summary, summarise } from "./summary.ts";

/** A summary, and the half-open window `[startMs, endMs)` it is of, epoch ms. */
export interface WindowSummary {
  startMs: number;
  endMs: number;
  summary: Summary;
}

/** The length of windows that are aligned to the epoch, in ms, or how time is cut into them. */
type Cut = number | WindowAt;
const windowAtOf = (cut: Cut) => (typeof cut === "number" ? evenly(cut) : cut);

/** Returns the windows of ascending readings; those without readings are left out. */
export function windowsOfReadings(
  at: readonly number[],
  value: readonly number[],
  cut: Cut,
): WindowSummary[] {
  const windowAt = windowAtOf(cut);
  const windows: WindowSummary[] = [];
  for (let start = 0; start < at.length; ) {
    const { startMs, endMs } = windowAt(at[start]!);
    let end = start + 1;
    while (end < at.length && at[end]! < endMs) end++;
    windows.push({ startMs, endMs, summary: summarise(at, value, start, end) });
    start = end;
  }
  return windows;
}

/** Returns the windows, ascending, with the counts of what was thinned in them; each count lies in one of them. */
export function addThinned(
  windows: readonly WindowSummary[],
  thinned: readonly ThinnedCount[],
): WindowSummary[] {
  if (thinned.length === 0) return [...windows];
  let next = 0;
  return windows.map((window) => {
    let count = 0;
    while (next < thinned.length && thinned[next]!.at < window.endMs) count += thinned[next++]!.count;
    return count === 0 ? window : { ...window, summary: { ...window.summary, thinned: count } };
  });
}

/** Returns windows, ascending, merged from parts that each lie inside one of them, in any order. */
export function windowsOfParts(
  parts: Iterable<{ startMs: number; summary: Summary }>,
  cut: Cut,
): WindowSummary[] {
  const windowAt = windowAtOf(cut);
  const merged = new Map<number, WindowSummary>();
  for (const part of parts) {
    const { startMs, endMs } = windowAt(part.startMs);
    const known = merged.get(startMs);
    const summary = known === undefined ? part.summary : merge(known.summary, part.summary);
    merged.set(startMs, { startMs, endMs, summary });
  }
  return [...merged.values()].sort((a, b) => a.startMs - b.startMs);
}
