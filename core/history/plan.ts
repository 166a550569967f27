// A question about a range → which tier answers which part of it, at which resolution.
import { RESOLUTION_MS, type Resolution, type Tier } from "../../schemas/query.ts";
import { alignDown } from "../window/align.ts";

export interface Segment {
  source: Tier;
  startMs: number;
  endMs: number;
}

/** What the device's object says of itself; see HotReadings. */
export interface TierBounds {
  hotFromMs: number;
  unsettledFromMs: number;
}

export interface HistoryPlan {
  resolution: Exclude<Resolution, "auto">;
  segments: Segment[];
}

/** `auto` answers at most about this many points. */
const AUTO_POINTS = 1_500;
/** `auto` shows every reading of a range up to this long: 6 h at one reading every 10 s is 2,160 points. */
const AUTO_RAW_MS = 6 * 3_600_000;

/** The finest resolution that answers a range in about 1,500 points. */
export function resolve(resolution: Resolution, fromMs: number, toMs: number): HistoryPlan["resolution"] {
  if (resolution !== "auto") return resolution;
  const spanMs = toMs - fromMs;
  if (spanMs <= AUTO_RAW_MS) return "raw";
  for (const candidate of ["1m", "5m", "1h"] as const) {
    if (spanMs / RESOLUTION_MS[candidate] <= AUTO_POINTS) return candidate;
  }
  return "1d";
}

/**
 * The range widened to whole windows and cut into segments without gap or overlap. Hourly and daily windows come from
 * the rollups as far as these are settled and from the device after that; raw readings and short windows from the
 * device as far back as it holds them and from the archive before that. `pinned` asks one tier for all of it.
 */
export function planHistory(
  asked: { fromMs: number; toMs: number; resolution: Resolution; pinned: Tier | undefined },
  bounds: TierBounds,
): HistoryPlan {
  const resolution = resolve(asked.resolution, asked.fromMs, asked.toMs);
  const windowMs = resolution === "raw" ? 1 : RESOLUTION_MS[resolution];
  const startMs = alignDown(asked.fromMs, windowMs);
  const endMs = alignDown(asked.toMs + windowMs - 1, windowMs);
  const { pinned } = asked;
  if (pinned !== undefined) return { resolution, segments: [{ source: pinned, startMs, endMs }] };
  if (resolution === "1h" || resolution === "1d") {
    const boundary = Math.max(alignDown(bounds.unsettledFromMs, RESOLUTION_MS["1h"]), bounds.hotFromMs);
    return { resolution, segments: cut(startMs, endMs, boundary, "warm", "hot") };
  }
  return { resolution, segments: cut(startMs, endMs, bounds.hotFromMs, "cold", "hot") };
}

function cut(startMs: number, endMs: number, boundary: number, before: Tier, after: Tier): Segment[] {
  const middle = Math.min(Math.max(boundary, startMs), endMs);
  return [
    { source: before, startMs, endMs: middle },
    { source: after, startMs: middle, endMs },
  ].filter((segment) => segment.startMs < segment.endMs);
}
