// Readings or shorter windows → windows of a given length.
import { alignDown } from "./align.ts";
import { merge, type Summary, summarise } from "./summary.ts";

/** A summary and the half-open window it stands for. */
export interface WindowSummary {
  startMs: number;
  endMs: number;
  summary: Summary;
}

/** Windows of `lengthMs` over ascending readings; windows without readings are left out. */
export function windowsOfReadings(
  at: readonly number[],
  value: readonly number[],
  lengthMs: number,
): WindowSummary[] {
  const windows: WindowSummary[] = [];
  for (let start = 0; start < at.length; ) {
    const startMs = alignDown(at[start]!, lengthMs);
    let end = start + 1;
    while (end < at.length && at[end]! < startMs + lengthMs) end++;
    windows.push({ startMs, endMs: startMs + lengthMs, summary: summarise(at, value, start, end) });
    start = end;
  }
  return windows;
}

/** Windows of `lengthMs` merged from parts that each lie inside one of them, in any order. */
export function windowsOfParts(
  parts: Iterable<{ startMs: number; summary: Summary }>,
  lengthMs: number,
): WindowSummary[] {
  const merged = new Map<number, Summary>();
  for (const { startMs, summary } of parts) {
    const start = alignDown(startMs, lengthMs);
    const known = merged.get(start);
    merged.set(start, known === undefined ? summary : merge(known, summary));
  }
  return [...merged]
    .sort(([a], [b]) => a - b)
    .map(([startMs, summary]) => ({ startMs, endMs: startMs + lengthMs, summary }));
}
