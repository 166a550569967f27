// A question about a range → which tier answers which part of it, at which resolution.
import { RESOLUTION_MS, type Resolution, type Tier } from "../../schemas/query.ts";
import { alignDown, HOUR_MS } from "../window/align.ts";

export interface Segment {
  source: Tier;
  startMs: number;
  endMs: number;
}

/** What the tiers say of themselves; for the first two see HotReadings. */
export interface TierBounds {
  hotFromMs: number;
  unsettledFromMs: number;
  /** From here on D1 has the rollups of every settled hour; what is older is in the archive's hourly files. */
  warmFromMs: number;
}

export interface HistoryPlan {
  resolution: Exclude<Resolution, "auto">;
  startMs: number;
  endMs: number;
  segments: Segment[];
}

/** `auto` answers at most this many windows, unless told how many. */
const AUTO_POINTS = 1_500;
/** `auto` shows every reading of a range that has no more than it may at this pace: up to 6 h unless told how many. */
const AUTO_RAW_EVERY_MS = (6 * HOUR_MS) / AUTO_POINTS;
/**
 * A device gives up its oldest readings as time goes on: those about to go are asked of the archive, which has them,
 * lest they are gone between the plan and the reading.
 */
export const HOT_SLACK_MS = 10 * 60_000;

/** The finest resolution that answers a range in at most `maxPoints`; readings are guessed at, windows counted. */
export function resolve(
  resolution: Resolution,
  fromMs: number,
  toMs: number,
  maxPoints = AUTO_POINTS,
): HistoryPlan["resolution"] {
  if (resolution !== "auto") return resolution;
  if (toMs - fromMs <= maxPoints * AUTO_RAW_EVERY_MS) return "raw";
  for (const candidate of ["1m", "5m", "1h"] as const) {
    if (windowCount(fromMs, toMs, RESOLUTION_MS[candidate]) <= maxPoints) return candidate;
  }
  return "1d";
}

/** How many windows a range touches. */
export const windowCount = (fromMs: number, toMs: number, windowMs: number) =>
  (alignUp(toMs, windowMs) - alignDown(fromMs, windowMs)) / windowMs;

/**
 * The range widened to whole windows and cut into segments without gap or overlap. Raw readings and short windows come
 * from the archive, and from the device as far back as it holds them. Hourly and daily windows come from the archive's
 * hourly files where D1 no longer has them, from D1 as far as it is settled, and from the device after that. `pinned`
 * asks one tier for all of it.
 */
export function planHistory(
  asked: {
    fromMs: number;
    toMs: number;
    resolution: Resolution;
    pinned: Tier | undefined;
    maxPoints?: number | undefined;
  },
  { hotFromMs, unsettledFromMs, warmFromMs }: TierBounds,
): HistoryPlan {
  const resolution = resolve(asked.resolution, asked.fromMs, asked.toMs, asked.maxPoints);
  const windowMs = resolution === "raw" ? 1 : RESOLUTION_MS[resolution];
  const startMs = alignDown(asked.fromMs, windowMs);
  const endMs = alignUp(asked.toMs, windowMs);
  const ends: [Tier, number][] = [];
  const settledMs = Math.max(unsettledFromMs, hotFromMs);
  if (asked.pinned !== undefined) {
    ends.push([asked.pinned, endMs]);
  } else if (resolution === "1h" || resolution === "1d") {
    ends.push(
      ["cold", Math.min(alignUp(warmFromMs, HOUR_MS), settledMs)],
      ["warm", settledMs],
      ["hot", endMs],
    );
  } else {
    const heldMs = hotFromMs <= 0 ? 0 : Math.min(hotFromMs + HOT_SLACK_MS, settledMs);
    ends.push(["cold", heldMs], ["hot", endMs]);
  }
  return { resolution, startMs, endMs, segments: cut(startMs, endMs, ends) };
}

/** The range cut where each tier ends, in the order of `ends`; tiers that get nothing are left out. */
function cut(startMs: number, endMs: number, ends: readonly (readonly [Tier, number])[]): Segment[] {
  const segments: Segment[] = [];
  let position = startMs;
  for (const [source, tierEndMs] of ends) {
    const end = Math.min(tierEndMs, endMs);
    if (end <= position) continue;
    segments.push({ source, startMs: position, endMs: end });
    position = end;
  }
  return segments;
}

/** Adds a segment that has been read after those before it; what is read again from its start on replaces what was there. */
export function extend(segments: readonly Segment[], next: Segment): Segment[] {
  const before = segments
    .filter(({ startMs }) => startMs < next.startMs)
    .map((segment) => ({ ...segment, endMs: Math.min(segment.endMs, next.startMs) }));
  const last = before.at(-1);
  if (last === undefined || last.source !== next.source) return [...before, next];
  return [...before.slice(0, -1), { ...last, endMs: next.endMs }];
}

const alignUp = (at: number, lengthMs: number) => alignDown(at + lengthMs - 1, lengthMs);
