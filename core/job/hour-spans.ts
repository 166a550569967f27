// The clock hours a deleted device's rollups touched, by zone → few spans, for they mostly follow one another.

import { HOUR_MS } from "../time.ts";
import { alignDown } from "../window/align.ts";

/** Half-open spans of whole hours, epoch ms, by zone, ascending. PERSISTED in the progress of a deletion. */
export type HourSpans = Record<string, [startMs: number, endMs: number][]>;

/** Adds to a zone's spans the hours that `[startMs, endMs)` touches; to be called with ascending starts. */
export function addHours(spans: HourSpans, zone: string, startMs: number, endMs: number): void {
  const from = alignDown(startMs, HOUR_MS);
  const to = alignDown(endMs - 1, HOUR_MS) + HOUR_MS;
  spans[zone] ??= [];
  const own = spans[zone];
  const last = own.at(-1);
  if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
  else own.push([from, to]);
}

/** Yields the start of every hour in the spans, epoch ms. */
export function* hoursIn(spans: readonly [startMs: number, endMs: number][]): Generator<number> {
  for (const [startMs, endMs] of spans) for (let hour = startMs; hour < endMs; hour += HOUR_MS) yield hour;
}
