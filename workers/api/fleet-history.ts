// GET /v1/fleet/history, /v1/zones/:zone/history: hours computed before, and what is newer or finer asked of the devices.
import { FleetMerger, sealedToMs } from "../../core/history/fleet-merger.ts";
import { windowCount } from "../../core/history/plan.ts";
import { Slicer } from "../../core/history/slice.ts";
import { WindowMerger } from "../../core/history/window-merger.ts";
import { type Windows, windowsOf } from "../../core/history/windows.ts";
import { HOUR_MS } from "../../core/time.ts";
import { addThinned, type WindowSummary, windowsOfReadings } from "../../core/window/aggregate.ts";
import type { WindowAt } from "../../core/window/align.ts";
import { POINTS_MAX } from "../../schemas/limits.ts";
import { type FleetHistoryAnswer, type FleetHistoryQuery, RESOLUTION_MS } from "../../schemas/query.ts";
import { FLEET } from "../../schemas/tables.ts";
import { askEach } from "../ask-each.ts";
import { Problem } from "../problem.ts";
import type { ApiEnv } from "./env.ts";
import { rangeOf } from "./history.ts";
import { readZoneHours } from "./read-zone-hours.ts";
import { readDevices } from "./registry.ts";

/** Most devices a question asks one by one, and most windows it asks of each. */
const DEVICES_MAX = 1_000;
const WINDOWS_MAX = 1_500;
const ASKED_AT_ONCE = 50;
const DEADLINE_MS = 5_000;
/** How many readings a device is asked for at once: those of fifty are in memory together. */
const DEVICE_PACE = { wanted: 20_000, firstMs: 60_000 };
/** Hours are read from D1 a quarter of a year at a time. */
const HOURS_AT_ONCE = 92 * 24;

interface Asked {
  tenant: string;
  /** Null: the fleet. */
  zone: string | null;
  metric: string;
  startMs: number;
  endMs: number;
}

/**
 * Answers a question for a metric of a zone, or of the fleet (`zone` null), in windows.
 * @throws Problem `invalid_query` (empty or too large a range, too many devices), `unavailable`.
 */
export async function readFleetHistory(
  env: ApiEnv,
  tenant: string,
  zone: string | null,
  query: FleetHistoryQuery,
  now: number,
): Promise<FleetHistoryAnswer> {
  const { metric, resolution, tz } = query;
  const range = rangeOf(query, now);
  const { fromMs, toMs } = range;
  const windowMs = RESOLUTION_MS[resolution];
  const windows = windowsOf(resolution, tz, range);
  const { startMs } = windows.windowAt(fromMs);
  const { endMs } = windows.windowAt(toMs - 1);
  if (windowCount(fromMs, toMs, windowMs) > POINTS_MAX) {
    throw new Problem(
      "invalid_query",
      `an answer has at most ${POINTS_MAX} points; ask for a shorter range, or for resolution 1d`,
    );
  }
  const isComputed = windows.hoursFromMs <= startMs;
  if (!isComputed && windows.timeZone !== undefined && !query.live) throw notOfHours(windows, endMs);
  const liveFromMs = !isComputed ? startMs : query.live ? clamp(sealedToMs(now), startMs, endMs) : endMs;
  const asked = { tenant, zone, metric };
  const merger = new FleetMerger();
  const dirty = isComputed
    ? await addComputed(env, { ...asked, startMs, endMs: liveFromMs }, merger)
    : undefined;
  // Of a day the devices give the hours, as the hours computed before are.
  const parts = {
    windowMs: Math.min(windowMs, HOUR_MS),
    windowAt: resolution === "1d" ? windowsOf("1h", tz, range).windowAt : windows.windowAt,
  };
  const missing =
    liveFromMs < endMs ? await addLive(env, { ...asked, startMs: liveFromMs, endMs }, parts, merger) : [];
  const segments: FleetHistoryAnswer["segments"] = [];
  if (startMs < liveFromMs) segments.push({ source: "warm", startMs, endMs: liveFromMs });
  if (liveFromMs < endMs) segments.push({ source: "hot", startMs: liveFromMs, endMs });
  return {
    zone,
    metric,
    source: segments.length > 1 ? "mixed" : (segments[0]!.source as "hot" | "warm"),
    resolution,
    ...(tz === undefined ? {} : { tz }),
    segments,
    points: merger.points(windows.windowAt),
    settledToMs:
      dirty === undefined
        ? null
        : clamp(Math.min(dirty.fromMs ?? endMs, sealedToMs(now)), startMs, liveFromMs),
    dirtyHours: dirty?.hours ?? 0,
    hoursFromMs: dirty?.hoursFromMs ?? null,
    metricsLeftOut: dirty?.metricsLeftOut ?? 0,
    partial: missing.length > 0,
    missing,
  };
}

/** Adds the hours the range has in D1, and says which of these are being computed anew. */
async function addComputed(env: ApiEnv, { zone, ...asked }: Asked, merger: FleetMerger) {
  const dirty: {
    fromMs: number | undefined;
    hours: number;
    hoursFromMs: number | undefined;
    metricsLeftOut: number;
  } = { fromMs: undefined, hours: 0, hoursFromMs: undefined, metricsLeftOut: 0 };
  for (let startMs = asked.startMs; startMs < asked.endMs; startMs += HOURS_AT_ONCE * HOUR_MS) {
    const endMs = Math.min(startMs + HOURS_AT_ONCE * HOUR_MS, asked.endMs);
    const found = await readZoneHours(env, { ...asked, zone: zone ?? FLEET, startMs, endMs });
    merger.add(found.hours);
    dirty.fromMs ??= found.dirtyFromMs;
    dirty.hours += found.dirtyHours;
    dirty.hoursFromMs ??= found.hoursFromMs;
    dirty.metricsLeftOut = Math.max(dirty.metricsLeftOut, found.metricsLeftOut);
  }
  return dirty;
}

/** Adds what the devices say of the range, in these windows. Returns the devices that did not answer. */
async function addLive(
  env: ApiEnv,
  asked: Asked,
  { windowMs, windowAt }: { windowMs: number; windowAt: WindowAt },
  merger: FleetMerger,
): Promise<string[]> {
  const windows = windowCount(asked.startMs, asked.endMs, windowMs);
  if (windows > WINDOWS_MAX) {
    const detail = `devices are asked for at most ${WINDOWS_MAX} windows, not ${windows}`;
    throw new Problem(
      "invalid_query",
      `${detail}; ask for a shorter range, or for resolution 1h without live`,
    );
  }
  const page = { zone: asked.zone ?? undefined, limit: DEVICES_MAX };
  const { devices, next } = await readDevices(env.CONTROL, asked.tenant, page);
  if (next !== null) {
    const who = asked.zone === null ? "the fleet" : `zone ${asked.zone}`;
    const detail = `${who} has more than the ${DEVICES_MAX} devices that are asked one by one`;
    throw new Problem(
      "invalid_query",
      `${detail}; ask for resolution 1h or 1d without live, or zone by zone`,
    );
  }
  return await askEach(
    devices.map(({ device }) => device),
    { atOnce: ASKED_AT_ONCE, deadlineMs: DEADLINE_MS },
    (device) => readDeviceWindows(env, device, asked, windowAt),
    (own) => merger.add(own.map(({ startMs, summary }) => ({ startMs, devices: 1, summary }))),
  );
}

/** A device's windows. @throws when its object no longer holds all of the range. */
async function readDeviceWindows(
  env: ApiEnv,
  device: string,
  { tenant, metric, startMs, endMs }: Asked,
  windowAt: WindowAt,
): Promise<WindowSummary[]> {
  const stub = env.DEVICE.getByName(`${tenant}/${device}`);
  const slicer = new Slicer({ startMs, endMs, ...DEVICE_PACE });
  const merger = new WindowMerger(windowAt);
  const windows: WindowSummary[] = [];
  for (let span = slicer.next(); span !== undefined; span = slicer.next()) {
    const found = await stub.readings(metric, span.startMs, span.endMs);
    if (found === null) return [];
    if (found.hotFromMs > startMs) throw new Error(`it holds nothing before ${found.hotFromMs}`);
    const [at, value] = [Array.from(found.at), Array.from(found.value)];
    const untilMs = Math.min(span.endMs, found.untilMs);
    const summed = addThinned(windowsOfReadings(at, value, windowAt), found.thinned ?? []);
    windows.push(...merger.add(summed, untilMs));
    slicer.took(untilMs, at.length);
  }
  return windows;
}

/** The hours of zones are those of UTC, and there are no readings of zones. */
function notOfHours({ timeZone, hoursFromMs }: Windows, endMs: number): Problem {
  const since =
    hoursFromMs < endMs ? ` before ${new Date(hoursFromMs).toISOString()}: ask from then on,` : ":";
  return new Problem(
    "invalid_query",
    `zones and the fleet have hours of UTC, and ${timeZone} is not whole hours from it${since} ask the devices with ` +
      "live=true, as far back as they hold readings, or ask without tz",
  );
}

const clamp = (value: number, least: number, most: number) => Math.min(most, Math.max(least, value));
