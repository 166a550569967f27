// One metric's line on the chart: fetched history, then live readings added at its end and old ones dropped at its start.
// Columns are changed in place: a range holds up to 50,000 points and moves every second.
import type { HistoryAnswer, RawPoint, WindowPoint } from "../../schemas/query.ts";
import { breaksBefore, TAIL_COUNT } from "./line-break.ts";

/** The window still being filled, so a live reading can move its mean, min and max. */
interface OpenWindow {
  startMs: number;
  endMs: number;
  count: number;
  sum: number;
}

export interface Track {
  readonly metric: string;
  /** 0: each point is a reading; else the width of its windows. */
  readonly windowMs: number;
  /** Its windows are days of the browser's time zone, and not of UTC. */
  readonly hasLocalDays: boolean;
  /** Where points stand on the time axis, ascending; a null in every other column breaks the line there. */
  readonly at: number[];
  readonly value: (number | null)[];
  readonly low: (number | null)[];
  readonly high: (number | null)[];
  /** Of the windows that have any, by their start: how many more readings were thinned. */
  readonly thinned: Map<number, number>;
  /** Points drawn: the columns' length without the breaks. */
  pointCount: number;
  /** Readings before this instant are in the points already. */
  knownUntilMs: number;
  open: OpenWindow | null;
}

const WINDOW_MS = { raw: 0, "1m": 60_000, "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000 } as const;
/** Raw readings closer than this are never torn apart, however irregular the device. */
const RAW_STEP_MS_MIN = 60_000;
/** Thinning chooses two points of each so many: two neighbours lie up to four such steps apart, whatever is around them. */
const THINNED_STEPS = 4;

/** `toMs`: the end of the range that was asked for. */
export function trackOf(answer: HistoryAnswer, toMs: number): Track {
  const windowMs = WINDOW_MS[answer.resolution];
  const track: Track = {
    metric: answer.metric,
    windowMs,
    hasLocalDays: answer.resolution === "1d" && answer.tz !== undefined,
    at: [],
    value: [],
    low: [],
    high: [],
    thinned: new Map(),
    pointCount: 0,
    knownUntilMs: toMs,
    open: null,
  };
  const stepMsMin = Math.max(windowMs || RAW_STEP_MS_MIN, thinnedStepMs(answer) * THINNED_STEPS);
  if (windowMs === 0) addRaw(track, answer.points as RawPoint[], stepMsMin);
  else addWindows(track, answer.points as WindowPoint[], toMs, stepMsMin);
  return track;
}

/** How far apart the points of a thinned answer lie on average; 0 when it has all of them. */
function thinnedStepMs({ thinned, points }: HistoryAnswer): number {
  const [first, last] = [points[0], points.at(-1)];
  if (thinned === undefined || first === undefined || last === undefined) return 0;
  const atMs = (point: RawPoint | WindowPoint) => ("at" in point ? point.at : point.startMs);
  return (atMs(last) - atMs(first)) / points.length;
}

/** Adds a live reading; false if it is in the points already or too old to be placed at the end. */
export function appendReading(track: Track, atMs: number, value: number): boolean {
  if (track.windowMs === 0) return appendRaw(track, atMs, value);
  if (atMs < track.knownUntilMs) return false;
  track.knownUntilMs = atMs + 1;
  const { open } = track;
  if (open && atMs < open.endMs) {
    widen(track, open, atMs, value);
    return true;
  }
  const { startMs, endMs } = windowAt(track, atMs);
  breakBefore(track, (startMs + atMs) / 2);
  track.open = { startMs, endMs, count: 1, sum: value };
  addPoint(track, (startMs + atMs) / 2, value, value, value);
  return true;
}

/** The window of a track that holds an instant, half-open. */
export function windowAt(
  { windowMs, hasLocalDays }: Track,
  atMs: number,
): { startMs: number; endMs: number } {
  if (!hasLocalDays) {
    const startMs = Math.floor(atMs / windowMs) * windowMs;
    return { startMs, endMs: startMs + windowMs };
  }
  const start = new Date(atMs);
  start.setHours(0, 0, 0, 0);
  const end = new Date(start);
  end.setDate(end.getDate() + 1);
  return { startMs: start.getTime(), endMs: end.getTime() };
}

/** Drops what lies before the view. */
export function dropBefore(track: Track, startMs: number): void {
  let cut = 0;
  while (cut < track.at.length && track.at[cut]! < startMs) {
    if (track.value[cut] !== null) track.pointCount--;
    cut++;
  }
  if (cut === 0) return;
  for (const column of [track.at, track.value, track.low, track.high]) column.splice(0, cut);
}

function appendRaw(track: Track, atMs: number, value: number): boolean {
  const lastAt = track.at.at(-1);
  if (lastAt !== undefined && atMs <= lastAt) {
    if (atMs < lastAt || track.value.at(-1) === value) return false;
    track.value[track.value.length - 1] = value;
    return true;
  }
  breakBefore(track, atMs);
  addPoint(track, atMs, value, null, null);
  return true;
}

function widen(track: Track, open: OpenWindow, atMs: number, value: number): void {
  const index = track.at.length - 1;
  open.count++;
  open.sum += value;
  track.at[index] = Math.max(track.at[index]!, (open.startMs + atMs) / 2);
  track.value[index] = open.sum / open.count;
  track.low[index] = Math.min(track.low[index] ?? value, value);
  track.high[index] = Math.max(track.high[index] ?? value, value);
}

function addRaw(track: Track, points: readonly RawPoint[], stepMsMin: number): void {
  const isBroken = breaksBefore(
    points.map((point) => point.at),
    stepMsMin,
  );
  for (const [index, { at, value }] of points.entries()) {
    if (isBroken[index]) breakLine(track);
    addPoint(track, at, value, null, null);
  }
}

/** A window stands at the middle of the part of it that has happened. */
function addWindows(track: Track, points: readonly WindowPoint[], toMs: number, stepMsMin: number): void {
  const instants = points.map(
    ({ startMs, endMs }) => (startMs + Math.max(startMs, Math.min(endMs, toMs))) / 2,
  );
  const isBroken = breaksBefore(instants, stepMsMin);
  for (const [index, { startMs, mean, min, max, thinned }] of points.entries()) {
    if (isBroken[index]) breakLine(track);
    if (thinned !== undefined) track.thinned.set(startMs, thinned);
    addPoint(track, instants[index]!, mean, min, max);
  }
  const last = points.at(-1);
  if (last) track.open = { startMs: last.startMs, endMs: last.endMs, count: last.count, sum: last.sum };
}

function addPoint(track: Track, at: number, value: number, low: number | null, high: number | null): void {
  track.at.push(at);
  track.value.push(value);
  track.low.push(low);
  track.high.push(high);
  track.pointCount++;
}

/** Breaks the line if a point at `atMs` comes after an interruption, judged by the steps before it. */
function breakBefore(track: Track, atMs: number): void {
  const tail: number[] = [];
  for (let index = track.at.length - 1; index >= 0 && tail.length < TAIL_COUNT; index--) {
    if (track.value[index] !== null) tail.unshift(track.at[index]!);
  }
  if (breaksBefore([...tail, atMs], track.windowMs || RAW_STEP_MS_MIN).at(-1)) breakLine(track);
}

/** A null just after the last point: the next one is not joined to it. */
function breakLine(track: Track): void {
  track.at.push(track.at.at(-1)! + 1);
  track.value.push(null);
  track.low.push(null);
  track.high.push(null);
}
