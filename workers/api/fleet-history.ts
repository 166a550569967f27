// GET /v1/fleet/history, /v1/zones/:zone/history: hours computed before, and what is newer or finer asked of the devices.
import { FleetMerger, sealedToMs } from "../../core/history/fleet-merger.ts";
import { windowCount } from "../../core/history/plan.ts";
import { Slicer } from "../../core/history/slice.ts";
import { WindowMerger } from "../../core/history/window-merger.ts";
import { type WindowSummary, windowsOfReadings } from "../../core/window/aggregate.ts";
import { alignDown, HOUR_MS } from "../../core/window/align.ts";
import { POINTS_MAX } from "../../schemas/limits.ts";
import { type FleetHistoryAnswer, type FleetHistoryQuery, RESOLUTION_MS } from "../../schemas/query.ts";
import { FLEET } from "../../schemas/tables.ts";
import { Problem } from "../problem.ts";
import { askEach } from "./ask-each.ts";
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
  windowMs: number;
}

/** @throws Problem `invalid_query` (empty or too large a range, too many devices), `unavailable`. */
export async function readFleetHistory(
  env: ApiEnv,
  tenant: string,
  zone: string | null,
  query: FleetHistoryQuery,
  now: number,
): Promise<FleetHistoryAnswer> {
  const { metric, resolution } = query;
  const { fromMs, toMs } = rangeOf(query, now);
  const windowMs = RESOLUTION_MS[resolution];
  const startMs = alignDown(fromMs, windowMs);
  const endMs = startMs + windowMs * windowCount(fromMs, toMs, windowMs);
  if ((endMs - startMs) / windowMs > POINTS_MAX) {
    throw new Problem(
      "invalid_query",
      `an answer has at most ${POINTS_MAX} points; ask for a shorter range, or for resolution 1d`,
    );
  }
  const isComputed = windowMs >= HOUR_MS;
  const liveFromMs = !isComputed ? startMs : query.live ? clamp(sealedToMs(now), startMs, endMs) : endMs;
  const asked = { tenant, zone, metric, windowMs };
  const merger = new FleetMerger();
  const dirty = isComputed
    ? await addComputed(env, { ...asked, startMs, endMs: liveFromMs }, merger)
    : undefined;
  const missing =
    liveFromMs < endMs ? await addLive(env, { ...asked, startMs: liveFromMs, endMs }, merger) : [];
  const segments: FleetHistoryAnswer["segments"] = [];
  if (startMs < liveFromMs) segments.push({ source: "warm", startMs, endMs: liveFromMs });
  if (liveFromMs < endMs) segments.push({ source: "hot", startMs: liveFromMs, endMs });
  return {
    zone,
    metric,
    source: segments.length > 1 ? "mixed" : (segments[0]!.source as "hot" | "warm"),
    resolution,
    segments,
    points: merger.points(windowMs),
    settledToMs:
      dirty === undefined
        ? null
        : clamp(Math.min(dirty.fromMs ?? endMs, sealedToMs(now)), startMs, liveFromMs),
    dirtyHours: dirty?.hours ?? 0,
    hoursFromMs: dirty?.hoursFromMs ?? null,
    partial: missing.length > 0,
    missing,
  };
}

/** Adds the hours the range has in D1, and says which of these are being computed anew. */
async function addComputed(env: ApiEnv, { zone, ...asked }: Asked, merger: FleetMerger) {
  const dirty: { fromMs: number | undefined; hours: number; hoursFromMs: number | undefined } = {
    fromMs: undefined,
    hours: 0,
    hoursFromMs: undefined,
  };
  for (let startMs = asked.startMs; startMs < asked.endMs; startMs += HOURS_AT_ONCE * HOUR_MS) {
    const endMs = Math.min(startMs + HOURS_AT_ONCE * HOUR_MS, asked.endMs);
    const found = await readZoneHours(env, { ...asked, zone: zone ?? FLEET, startMs, endMs });
    merger.add(found.hours);
    dirty.fromMs ??= found.dirtyFromMs;
    dirty.hours += found.dirtyHours;
    dirty.hoursFromMs ??= found.hoursFromMs;
  }
  return dirty;
}

/** Adds what the devices say of the range, in windows of at most an hour. Gives the devices that could not. */
async function addLive(env: ApiEnv, asked: Asked, merger: FleetMerger): Promise<string[]> {
  const windowMs = Math.min(asked.windowMs, HOUR_MS);
  const windows = (asked.endMs - asked.startMs) / windowMs;
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
    (device) => readDeviceWindows(env, device, { ...asked, windowMs }),
    (own) => merger.add(own.map(({ startMs, summary }) => ({ startMs, devices: 1, summary }))),
  );
}

/** A device's windows. @throws when its object no longer holds all of the range. */
async function readDeviceWindows(env: ApiEnv, device: string, asked: Asked): Promise<WindowSummary[]> {
  const { tenant, metric, startMs, endMs, windowMs } = asked;
  const stub = env.DEVICE.getByName(`${tenant}/${device}`);
  const slicer = new Slicer({ startMs, endMs, ...DEVICE_PACE });
  const merger = new WindowMerger(windowMs);
  const windows: WindowSummary[] = [];
  for (let span = slicer.next(); span !== undefined; span = slicer.next()) {
    const found = await stub.readings(metric, span.startMs, span.endMs);
    if (found === null) return [];
    if (found.hotFromMs > startMs) throw new Error(`it holds nothing before ${found.hotFromMs}`);
    const [at, value] = [Array.from(found.at), Array.from(found.value)];
    const untilMs = Math.min(span.endMs, found.untilMs);
    windows.push(...merger.add(windowsOfReadings(at, value, windowMs), untilMs));
    slicer.took(untilMs, at.length);
  }
  return windows;
}

const clamp = (value: number, least: number, most: number) => Math.min(most, Math.max(least, value));
