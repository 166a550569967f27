// Rollups of many devices → one hour of their zone; hours of zones → an hour of the fleet.
import { packSummaries, type Rollup, unpackSummaries } from "./pack-summary.ts";
import { merge, type Summary } from "./summary.ts";

/** One metric of a zone in an hour: how many devices reported it, and the summary of all their readings. */
export interface ZoneMetric {
  devices: number;
  summary: Summary;
}

/** An hour of a zone. Hours of disjoint sets of devices add up. */
export interface ZoneHour {
  devices: number;
  /** Readings of all metrics. */
  readings: number;
  metrics: Map<string, ZoneMetric>;
}

/** Gathers an hour of a zone from rollups that come device by device, each device's together. */
export class ZoneHourBuilder {
  readonly #hourMs: number;
  readonly #hour: ZoneHour = { devices: 0, readings: 0, metrics: new Map() };

  constructor(hourMs: number) {
    this.#hourMs = hourMs;
  }

  /** Adds one device: the packed summaries of all its rollups that may reach into the hour. */
  add(rollups: readonly string[]): void {
    const own = new Map<string, Summary>();
    for (const text of rollups) {
      for (const [metric, hours] of unpackSummaries(text)) {
        for (const { startMs, summary } of hours) {
          if (startMs !== this.#hourMs) continue;
          const known = own.get(metric);
          own.set(metric, known === undefined ? summary : merge(known, summary));
        }
      }
    }
    if (own.size === 0) return;
    this.#hour.devices += 1;
    for (const [metric, summary] of own) {
      this.#hour.readings += summary.count;
      addMetric(this.#hour, metric, { devices: 1, summary });
    }
  }

  /** The hour; undefined when no device has readings in it. */
  finish(): ZoneHour | undefined {
    return this.#hour.devices === 0 ? undefined : bounded(this.#hour);
  }
}

/** The hour of all the zones' devices together; undefined for no zones. */
export function mergeZoneHours(hours: readonly ZoneHour[]): ZoneHour | undefined {
  if (hours.length === 0) return undefined;
  const merged: ZoneHour = { devices: 0, readings: 0, metrics: new Map() };
  for (const hour of hours) {
    merged.devices += hour.devices;
    merged.readings += hour.readings;
    for (const [metric, of] of hour.metrics) addMetric(merged, metric, of);
  }
  return bounded(merged);
}

/**
 * Most metrics of an hour that are kept, those of the most devices: each takes up to some 1.2 KB, and a row of D1 2 MB (D1
 * limits, 2026-11). `readings` counts those of the others too.
 */
export const ZONE_METRICS_MAX = 1_000;

function bounded(hour: ZoneHour): ZoneHour {
  if (hour.metrics.size <= ZONE_METRICS_MAX) return hour;
  const byDevices = [...hour.metrics].sort(
    ([a, { devices: x }], [b, { devices: y }]) => y - x || (a < b ? -1 : 1),
  );
  return { ...hour, metrics: new Map(byDevices.slice(0, ZONE_METRICS_MAX)) };
}

function addMetric(hour: ZoneHour, metric: string, { devices, summary }: ZoneMetric): void {
  const known = hour.metrics.get(metric);
  hour.metrics.set(metric, {
    devices: (known?.devices ?? 0) + devices,
    summary: known === undefined ? summary : merge(known.summary, summary),
  });
}

/** PERSISTED: the JSON of `zone_hour.metrics`; `summaries` is what pack-summary.ts packs. */
interface PackedMetrics {
  devices: Record<string, number>;
  summaries: unknown;
}

export function packZoneMetrics(metrics: ZoneHour["metrics"]): string {
  const devices = JSON.stringify(
    Object.fromEntries([...metrics].map(([metric, of]) => [metric, of.devices])),
  );
  const rollup: Rollup = new Map(
    [...metrics].map(([metric, { summary }]) => [metric, [{ startMs: 0, summary }]]),
  );
  return `{"devices":${devices},"summaries":${packSummaries(rollup)}}`;
}

export function unpackZoneMetrics(text: string): ZoneHour["metrics"] {
  const { devices, summaries } = JSON.parse(text) as PackedMetrics;
  return new Map(
    [...unpackSummaries(JSON.stringify(summaries))].map(([metric, [hour]]) => [
      metric,
      { devices: devices[metric]!, summary: hour!.summary },
    ]),
  );
}
