// GET /v1/devices/:device/history: plan, read slice by slice, and answer whole, thinned, or as a page.
import { type Cursor, cursorText, parseCursor } from "../../core/history/cursor.ts";
import { resolve, windowCount } from "../../core/history/plan.ts";
import { type Drawn, thin } from "../../core/history/thin.ts";
import { type Windows, windowsOf } from "../../core/history/windows.ts";
import { HOUR_MS } from "../../core/time.ts";
import {
  AT_MICROSECONDS_ABOVE,
  FILES_PER_QUERY_MAX,
  POINTS_MAX,
  READINGS_PER_QUERY_MAX,
} from "../../schemas/limits.ts";
import {
  type HistoryAnswer,
  type HistoryQuery,
  type RawPoint,
  RESOLUTION_MS,
  type WindowPoint,
} from "../../schemas/query.ts";
import { Problem } from "../problem.ts";
import type { ApiEnv } from "./env.ts";
import { Meter, type Pace, type PointQuestion, readPoints, SLICE_HOURS_MAX } from "./read-points.ts";

const DEFAULT_RANGE_MS = HOUR_MS;
/** A slice of a whole answer: the days a device holds are one call to its object. */
const WHOLE: Pace = { readings: 100_000, firstMs: 8 * 24 * HOUR_MS, hours: SLICE_HOURS_MAX };

/**
 * Returns the range of a question, absent bounds filled in: the hour up to `now`.
 * @throws Problem `invalid_query` when it is empty.
 */
export function rangeOf(query: { from?: number | undefined; to?: number | undefined }, now: number) {
  const toMs = Math.min(query.to ?? now + 1, AT_MICROSECONDS_ABOVE);
  const fromMs = query.from ?? toMs - DEFAULT_RANGE_MS;
  if (fromMs >= toMs) throw new Problem("invalid_query", `"from" ${fromMs} is not before "to" ${toMs}`);
  return { fromMs, toMs };
}

/**
 * Answers a question for the points of a device's metric, thinned where asked.
 * @throws Problem `invalid_query` (empty or too large a range, a tier without that resolution), `device_not_found`.
 */
export async function readHistory(
  env: ApiEnv,
  tenant: string,
  device: string,
  query: HistoryQuery,
  now: number,
): Promise<HistoryAnswer> {
  const { metric, maxPoints, thin: method } = query;
  const cursor = cursorOf(query, now);
  const { resolution, fromMs, toMs } = cursor;
  const windows = windowsOf(resolution, cursor.timeZone, cursor);
  const pinned = query.source === "auto" ? undefined : query.source;
  if (pinned === "warm") checkWarm(windows, fromMs);
  const limit = query.limit ?? (query.after === undefined ? undefined : POINTS_MAX);
  if (limit !== undefined && maxPoints !== undefined) {
    throw new Problem(
      "invalid_query",
      `"maxPoints" thins the whole answer, "limit" pages it: ask one of them`,
    );
  }
  if (limit === undefined && resolution !== "raw") {
    checkPoints(windowCount(fromMs, toMs, RESOLUTION_MS[resolution]));
  }
  const pace = limit === undefined ? WHOLE : paceOf(resolution, limit);
  const meter = new Meter();
  const asked = { tenant, device, metric, windows, fromMs, toMs, pinned, pace };
  const { points, nextMs } =
    limit === undefined
      ? await readWhole(env, asked, meter, maxPoints !== undefined)
      : await readPage(env, asked, meter, limit);

  const drawn = maxPoints === undefined ? undefined : thin(columnsOf(points), maxPoints, method);
  const shown = drawn === undefined ? points : drawn.map((index) => points[index]!);
  const { segments, leftOut, bytesRead } = meter;
  const sources = new Set(segments.map(({ source }) => source));
  return {
    device,
    metric,
    source: sources.size === 1 ? segments[0]!.source : "mixed",
    resolution,
    ...(cursor.timeZone === undefined ? {} : { tz: cursor.timeZone }),
    segments,
    points: shown as HistoryAnswer["points"],
    next: nextMs < toMs ? cursorText({ ...cursor, fromMs: nextMs }) : null,
    ...(shown.length < points.length ? { thinned: { method, from: points.length } } : {}),
    ...(leftOut > 0 ? { leftOut } : {}),
    ...(bytesRead > 0 ? { bytesRead } : {}),
  };
}

interface Read {
  points: (RawPoint | WindowPoint)[];
  /** Where the next page begins. */
  nextMs: number;
}

/** @throws Problem `invalid_query` when there are too many points, or too much is to be read for them. */
async function readWhole(env: ApiEnv, asked: PointQuestion, meter: Meter, isThinned: boolean): Promise<Read> {
  const points: Read["points"] = [];
  for await (const slice of readPoints(env, asked, meter)) {
    for (const point of slice.points) points.push(point);
    if (!isThinned) checkPoints(points.length);
    checkTouched(meter);
  }
  return { points, nextMs: asked.toMs };
}

/** At most `limit` points; fewer when as much was read for them as may be. */
async function readPage(env: ApiEnv, asked: PointQuestion, meter: Meter, limit: number): Promise<Read> {
  const points: Read["points"] = [];
  for await (const slice of readPoints(env, asked, meter)) {
    for (const point of slice.points) points.push(point);
    if (points.length >= limit) return { points: points.slice(0, limit), nextMs: endOf(points[limit - 1]!) };
    if (isExhausted(meter)) return { points, nextMs: slice.untilMs };
  }
  return { points, nextMs: asked.toMs };
}

/** Slices of a page: of readings hardly longer than it, of windows as long as it is where none is without readings. */
function paceOf(resolution: Cursor["resolution"], limit: number): Pace {
  if (resolution === "raw") return { readings: Math.max(limit, 5_000), firstMs: HOUR_MS, hours: 0 };
  const pageMs = limit * RESOLUTION_MS[resolution];
  const firstMs = Math.max(HOUR_MS, Math.min(pageMs, WHOLE.firstMs));
  return { readings: 50_000, firstMs, hours: Math.min(pageMs / HOUR_MS, SLICE_HOURS_MAX) };
}

/** What is asked for: as the query says, or from where the page before ended. */
function cursorOf({ after, resolution, maxPoints, tz, ...query }: HistoryQuery, now: number): Cursor {
  if (after === undefined) {
    const { fromMs, toMs } = rangeOf(query, now);
    return { resolution: resolve(resolution, fromMs, toMs, maxPoints), fromMs, toMs, timeZone: tz };
  }
  const cursor = parseCursor(after);
  if (cursor === undefined) {
    throw new Problem("invalid_query", `"after" is the "next" of the page before; ${after} is none`);
  }
  if (tz !== undefined && tz !== cursor.timeZone) {
    const before = cursor.timeZone ?? "UTC, with no tz";
    throw new Problem(
      "invalid_query",
      `tz: the page before was of ${before}, not of ${tz}: ask the first page anew`,
    );
  }
  if (resolution !== "auto" && resolution !== cursor.resolution) {
    const detail = `the page before was of ${cursor.resolution}, not of ${resolution}: ask the first page anew`;
    throw new Problem("invalid_query", `resolution: ${detail}`);
  }
  return cursor;
}

/** @throws Problem `invalid_query` when the windows are not made of the hours that D1 has. */
function checkWarm({ resolution, windowAt, hoursFromMs, timeZone }: Windows, fromMs: number): void {
  if (hoursFromMs <= windowAt(fromMs).startMs) return;
  const why = timeZone === undefined ? "" : ` of UTC, and ${timeZone} is not whole hours from it`;
  throw new Problem(
    "invalid_query",
    `the warm tier has hourly windows${why}; for ${resolution} ask hot or cold`,
  );
}

const REMEDIES =
  "ask for a shorter range or a coarser resolution (auto with maxPoints finds one), page it with limit, or export it";

function checkPoints(points: number): void {
  if (points <= POINTS_MAX) return;
  const detail = `${points} points or more; an answer has at most ${POINTS_MAX}`;
  throw new Problem("invalid_query", `${detail}: ${REMEDIES}`);
}

function checkTouched(meter: Meter): void {
  if (!isExhausted(meter)) return;
  const touched = `${meter.readings} readings in ${meter.files} archive files`;
  const most = `a question may touch ${READINGS_PER_QUERY_MAX} and ${FILES_PER_QUERY_MAX}`;
  throw new Problem("invalid_query", `the range holds ${touched} or more; ${most}: ${REMEDIES}`);
}

const isExhausted = ({ readings, files }: Meter) =>
  readings > READINGS_PER_QUERY_MAX || files > FILES_PER_QUERY_MAX;

/** The first instant a point says nothing of. */
const endOf = (point: RawPoint | WindowPoint) => ("at" in point ? point.at + 1 : point.endMs);

/** What is drawn of points, all of one kind: a reading has but its value. */
function columnsOf(points: readonly (RawPoint | WindowPoint)[]): Drawn {
  const column = (name: "mean" | "min" | "max") =>
    points.map((point) => ("at" in point ? point.value : point[name]));
  const at = points.map((point) => ("at" in point ? point.at : point.startMs));
  const value = column("mean");
  if (points.length > 0 && "at" in points[0]!) return { at, value, low: value, high: value };
  return { at, value, low: column("min"), high: column("max") };
}
