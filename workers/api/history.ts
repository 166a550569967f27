// GET /v1/devices/:device/history: plan, read each tier, stitch.
import { planHistory, type Segment } from "../../core/history/plan.ts";
import { type WindowSummary, windowsOfParts, windowsOfReadings } from "../../core/window/aggregate.ts";
import { meanOf, quantileOf, type Summary, stddevOf } from "../../core/window/summary.ts";
import { POINTS_MAX } from "../../schemas/limits.ts";
import type { HotReadings } from "../../schemas/message.ts";
import {
  type HistoryAnswer,
  type HistoryQuery,
  RESOLUTION_MS,
  type WindowPoint,
} from "../../schemas/query.ts";
import { Problem } from "../problem.ts";
import type { ApiEnv } from "./env.ts";
import { readCold, tooManyReadings } from "./read-cold.ts";
import { readWarm } from "./read-warm.ts";
import { readDevice } from "./registry.ts";

const DEFAULT_RANGE_MS = 3_600_000;
/** The ring may give up a block between the plan and the reading; then it is planned again. */
const HISTORY_TRIES = 3;

/** @throws Problem `invalid_query` (empty or too large a range), `device_not_found`. */
export async function readHistory(
  env: ApiEnv,
  tenant: string,
  device: string,
  query: HistoryQuery,
  now: number,
  tries = HISTORY_TRIES,
): Promise<HistoryAnswer> {
  const toMs = query.to ?? now + 1;
  const fromMs = query.from ?? toMs - DEFAULT_RANGE_MS;
  if (fromMs >= toMs) throw new Problem("invalid_query", `"from" ${fromMs} is not before "to" ${toMs}`);
  const { metric } = query;
  const hot = await env.DEVICE.getByName(`${tenant}/${device}`).readings(metric, fromMs, fromMs);
  if (hot === null && (await readDevice(env.CONTROL, tenant, device)) === undefined) {
    throw new Problem("device_not_found", `no device ${device} has reported or is registered`);
  }
  const bounds = hot ?? { hotFromMs: Number.MAX_SAFE_INTEGER, unsettledFromMs: Number.MAX_SAFE_INTEGER };
  const pinned = query.source === "auto" ? undefined : query.source;
  const plan = planHistory({ fromMs, toMs, resolution: query.resolution, pinned }, bounds);
  const { resolution, segments } = plan;
  let bytesRead = 0;
  let hotMoved = false;
  const windowMs = resolution === "raw" ? undefined : RESOLUTION_MS[resolution];
  if (windowMs !== undefined) checkPoints((toMs - fromMs) / windowMs);

  const readSegment = async ({
    source,
    startMs,
    endMs,
  }: Segment): Promise<{ at: readonly number[]; value: readonly number[] }> => {
    if (source === "cold") {
      const cold = await readCold(env.WARM_0, env.COLD, { tenant, device, metric, startMs, endMs });
      bytesRead += cold.bytesRead;
      return cold;
    }
    const found: HotReadings | null = await env.DEVICE.getByName(`${tenant}/${device}`).readings(
      metric,
      startMs,
      endMs,
    );
    if (found?.complete === false) throw tooManyReadings();
    hotMoved ||= pinned === undefined && (found?.hotFromMs ?? 0) > startMs;
    return { at: [...(found?.at ?? [])], value: [...(found?.value ?? [])] };
  };

  const answer = async (points: HistoryAnswer["points"]): Promise<HistoryAnswer> => {
    if (hotMoved && tries > 1) return await readHistory(env, tenant, device, query, now, tries - 1);
    checkPoints(points.length);
    const sources = new Set(segments.map(({ source }) => source));
    const source = sources.size === 1 ? segments[0]!.source : "mixed";
    return { device, metric, source, resolution, segments, points, ...(bytesRead > 0 ? { bytesRead } : {}) };
  };

  if (windowMs === undefined) {
    if (segments.some(({ source }) => source === "warm")) {
      throw new Problem(
        "invalid_query",
        "the warm tier has hourly windows, not raw readings; ask hot or cold",
      );
    }
    const points = [];
    for (const segment of segments) {
      const { at, value } = await readSegment(segment);
      for (let i = 0; i < at.length; i++) points.push({ at: at[i]!, value: value[i]! });
    }
    return await answer(points);
  }

  const parts: { startMs: number; summary: Summary }[] = [];
  for (const segment of segments) {
    if (segment.source === "warm") {
      if (windowMs < RESOLUTION_MS["1h"]) {
        throw new Problem(
          "invalid_query",
          `the warm tier has hourly windows; for ${resolution} ask hot or cold`,
        );
      }
      parts.push(...(await readWarm(env.WARM_0, { tenant, device, metric, ...segment })));
    } else {
      const { at, value } = await readSegment(segment);
      parts.push(...windowsOfReadings(at, value, windowMs));
    }
  }
  return await answer(windowsOfParts(parts, windowMs).map(pointOf));
}

function checkPoints(points: number): void {
  if (points <= POINTS_MAX) return;
  const detail = `${Math.ceil(points)} points; an answer has at most ${POINTS_MAX}`;
  throw new Problem("invalid_query", `${detail}: ask for a shorter range, or a coarser resolution`);
}

function pointOf({ startMs, endMs, summary }: WindowSummary): WindowPoint {
  const { count, min, max, first, last, sum } = summary;
  return {
    startMs,
    endMs,
    count,
    min,
    max,
    mean: meanOf(summary),
    sum: sum.high,
    stddev: stddevOf(summary),
    first,
    last,
    p50: quantileOf(summary, 0.5),
    p95: quantileOf(summary, 0.95),
    p99: quantileOf(summary, 0.99),
  };
}
