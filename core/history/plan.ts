// A question about a range → which tier answers which part of it, at which resolution.
import { RESOLUTION_MS, type Resolution, type Tier } from "../../schemas/query.ts";
import { HOUR_MS } from "../time.ts";
import { alignDown } from "../window/align.ts";
import type { Windows } from "./windows.ts";

/** A half-open part of a range, epoch ms, and the tier that answers it. */
export interface Segment {
  source: Tier;
  startMs: number;
  endMs: number;
}

/** From when on each tier can answer, epoch ms; for `hotFromMs` and `unsettledFromMs` see HotReadings. */
export interface TierBounds {
  hotFromMs: number;
  unsettledFromMs: number;
  /** From when on D1 has the rollups of every settled hour; older ones are in the archive's hourly files. */
  warmFromMs: number;
}

/** A segment, and whether it is answered in hours that were summed up before, or in readings. */
export interface PlannedSegment extends Segment {
  inHours: boolean;
}

/** How a question is answered: the range `[startMs, endMs)`, in whole windows, and its segments, ascending. */
export interface HistoryPlan {
  startMs: number;
  endMs: number;
  segments: PlannedSegment[];
}

/** `auto` answers at most this many windows, unless the question has `maxPoints`. */
const AUTO_POINTS = 1_500;
/**
 * `auto` answers readings when a range has no more of them than it may at this distance, in ms: up to 6 h unless the
 * question has `maxPoints`.
 */
const AUTO_RAW_EVERY_MS = (6 * HOUR_MS) / AUTO_POINTS;
/**
 * How far the archive answers past the oldest reading of the device, in ms: a device gives up its oldest readings as
 * time goes on, and they could be gone between the plan and the reading.
 */
export const HOT_SLACK_MS = 10 * 60_000;

/**
 * Returns the resolution that was asked for; for `auto` the finest that answers the range in at most `maxPoints`
 * points, with readings estimated and windows counted.
 */
export function resolve(
  resolution: Resolution,
  fromMs: number,
  toMs: number,
  maxPoints = AUTO_POINTS,
): Windows["resolution"] {
  if (resolution !== "auto") return resolution;
  if (toMs - fromMs <= maxPoints * AUTO_RAW_EVERY_MS) return "raw";
  for (const candidate of ["1m", "5m", "1h"] as const) {
    if (windowCount(fromMs, toMs, RESOLUTION_MS[candidate]) <= maxPoints) return candidate;
  }
  return "1d";
}

/** Returns how many windows of `windowMs` the range `[fromMs, toMs)` touches. */
export const windowCount = (fromMs: number, toMs: number, windowMs: number) =>
  (alignUp(toMs, windowMs) - alignDown(fromMs, windowMs)) / windowMs;

/**
 * Returns the range widened to whole windows and cut into segments without gap or overlap. Where readings make the
 * windows, they come from the archive, and from the device as far back as it holds them. Where hours do, they come from
 * the archive's hourly files where D1 no longer has them, from D1 as far as it is settled, and from the device, which
 * gives readings, after that. `pinned` has one tier answer all of it; undefined leaves the choice to the plan.
 */
export function planHistory(
  {
    fromMs,
    toMs,
    windows,
    pinned,
  }: { fromMs: number; toMs: number; windows: Windows; pinned: Tier | undefined },
  { hotFromMs, unsettledFromMs, warmFromMs }: TierBounds,
): HistoryPlan {
  const { windowAt, hoursFromMs } = windows;
  const { startMs } = windowAt(fromMs);
  const { endMs } = windowAt(toMs - 1);
  const settledMs = Math.max(unsettledFromMs, hotFromMs);
  const heldMs = hotFromMs <= 0 ? 0 : Math.min(hotFromMs + HOT_SLACK_MS, settledMs);
  const readings: TierEnd[] = [
    { source: "cold", endMs: heldMs, inHours: false },
    { source: "hot", endMs, inHours: false },
  ];
  const hours: TierEnd[] = [
    { source: "cold", endMs: Math.min(alignUp(warmFromMs, HOUR_MS), settledMs), inHours: true },
    { source: "warm", endMs: settledMs, inHours: true },
    { source: "hot", endMs, inHours: false },
  ];
  const of = (ends: readonly TierEnd[]) =>
    pinned === undefined
      ? ends
      : [{ source: pinned, endMs, inHours: ends.some((end) => end.source === pinned && end.inHours) }];
  const boundaryMs = Math.max(startMs, Math.min(hoursFromMs, endMs));
  const segments = [...cut(startMs, boundaryMs, of(readings)), ...cut(boundaryMs, endMs, of(hours))];
  return { startMs, endMs, segments };
}

/** Until when a tier answers, and whether in hours. */
type TierEnd = Omit<PlannedSegment, "startMs">;

/** Returns the range cut where each tier ends, in the order of `ends`; tiers without a part of it are left out. */
function cut(startMs: number, endMs: number, ends: readonly TierEnd[]): PlannedSegment[] {
  const segments: PlannedSegment[] = [];
  let position = startMs;
  for (const tier of ends) {
    const end = Math.min(tier.endMs, endMs);
    if (end <= position) continue;
    segments.push({ ...tier, startMs: position, endMs: end });
    position = end;
  }
  return segments;
}

/**
 * Returns the segments with one that was read after them. When a range is read again, the segment replaces the
 * earlier ones from its start on.
 */
export function extend(segments: readonly Segment[], next: Segment): Segment[] {
  const before = segments
    .filter(({ startMs }) => startMs < next.startMs)
    .map((segment) => ({ ...segment, endMs: Math.min(segment.endMs, next.startMs) }));
  const last = before.at(-1);
  if (last === undefined || last.source !== next.source) return [...before, next];
  return [...before.slice(0, -1), { ...last, endMs: next.endMs }];
}

const alignUp = (at: number, lengthMs: number) => alignDown(at + lengthMs - 1, lengthMs);
