// Rollups of many devices → one hour of their zone; hours of zones → an hour of the fleet.
import { packSummaries, type Rollup, unpackSummaries } from "./pack-summary.ts";
import { merge, type Summary } from "./summary.ts";
import { mostVoted, type Standing, VOTE } from "./votes.ts";

/**
 * One metric of a zone in an hour: how many devices reported it, the summary of all their readings, and the devices'
 * votes for it (core/window/votes.ts).
 */
export interface ZoneMetric extends Standing {
  summary: Summary;
}

/** An hour of a zone, or of the fleet. Hours of disjoint sets of devices add up. */
export interface ZoneHour {
  /** How many devices have readings in the hour. */
  devices: number;
  /** How many readings there are, of all metrics. */
  readings: number;
  metrics: Map<string, ZoneMetric>;
  /** How many metrics were left out at most: one that several zones left out counts in each. */
  leftOut: number;
}

/** A zone, and the start of an hour of it, epoch ms. */
export interface ZoneHourId {
  zone: string;
  hourMs: number;
}

/** Gathers hours of zones from rollups that come device by device, each device's together. */
export class ZoneHoursBuilder {
  readonly #hours = new Map<number, Map<string, ZoneHour>>();
  #summaries = 0;

  /** @param wanted the hours to gather; what rollups have of others is left out. */
  constructor(wanted: readonly ZoneHourId[]) {
    for (const { zone, hourMs } of wanted) {
      const zones = this.#hours.get(hourMs) ?? new Map<string, ZoneHour>();
      this.#hours.set(hourMs, zones.set(zone, emptyHour()));
    }
  }

  /** How many summaries are held, some 2 KB each. */
  get summaries(): number {
    return this.#summaries;
  }

  /** How many different hours are gathered. */
  get hourCount(): number {
    return this.#hours.size;
  }

  /** Adds one device: all its rollups that may reach into the hours. */
  add(rollups: readonly { zone: string; summaries: string }[]): void {
    const own = new Map<ZoneHour, Map<string, Summary>>();
    for (const { zone, summaries } of rollups) {
      for (const [metric, hours] of unpackSummaries(summaries)) {
        for (const { startMs, summary } of hours) {
          const hour = this.#hours.get(startMs)?.get(zone);
          if (hour === undefined) continue;
          const metrics = own.get(hour) ?? new Map<string, Summary>();
          own.set(hour, metrics);
          const known = metrics.get(metric);
          metrics.set(metric, known === undefined ? summary : merge(known, summary));
        }
      }
    }
    for (const [hour, metrics] of own) {
      hour.devices += 1;
      this.#summaries -= hour.metrics.size;
      for (const [metric, summary] of metrics) {
        hour.readings += summary.count;
        addMetric(hour, metric, { devices: 1, votes: Math.round(VOTE / metrics.size), summary });
      }
      holdMostVoted(hour);
      this.#summaries += hour.metrics.size;
    }
  }

  /** Adds an hour of a zone to that of the fleet, `id`, which is gathered unless `halve` dropped it. */
  addHour({ zone, hourMs }: ZoneHourId, added: ZoneHour): void {
    const hour = this.#hours.get(hourMs)?.get(zone);
    if (hour === undefined) return;
    this.#summaries -= hour.metrics.size;
    addTo(hour, added);
    this.#summaries += hour.metrics.size;
  }

  /** Drops the later half of the hours. */
  halve(): void {
    const hours = [...this.#hours.keys()].sort((a, b) => a - b);
    for (const hourMs of hours.slice(Math.ceil(hours.length / 2))) {
      for (const { metrics } of this.#hours.get(hourMs)!.values()) this.#summaries -= metrics.size;
      this.#hours.delete(hourMs);
    }
  }

  /** Returns the hours that `halve` did not drop; `hour` is undefined for one in which no device has readings. */
  finish(): (ZoneHourId & { hour: ZoneHour | undefined })[] {
    return [...this.#hours].flatMap(([hourMs, zones]) =>
      [...zones].map(([zone, hour]) => ({
        zone,
        hourMs,
        hour: hour.devices === 0 ? undefined : keepMostVoted(hour, ZONE_METRICS_MAX),
      })),
    );
  }
}

/** Returns the hour of all the zones' devices together; undefined for no zones. */
export function mergeZoneHours(hours: readonly ZoneHour[]): ZoneHour | undefined {
  if (hours.length === 0) return undefined;
  const merged = emptyHour();
  for (const hour of hours) addTo(merged, hour);
  return keepMostVoted(merged, ZONE_METRICS_MAX);
}

function addTo(merged: ZoneHour, hour: ZoneHour): void {
  merged.devices += hour.devices;
  merged.readings += hour.readings;
  merged.leftOut += hour.leftOut;
  for (const [metric, of] of hour.metrics) addMetric(merged, metric, of);
  holdMostVoted(merged);
}

/**
 * The most metrics of an hour that are kept, those with most votes: each takes up to some 1.2 KB, and a row of D1 2 MB
 * (D1 limits, 2026-11). `readings` counts those of the others too.
 */
export const ZONE_METRICS_MAX = 1_000;

/**
 * The most metrics of an hour that are held while it is gathered, some 2 KB each: when there are more, the half with
 * most votes stays. So a metric of few devices may be left out of one that has more, and its devices then count from
 * there on; `leftOut` counts it.
 */
const ZONE_METRICS_HELD_MAX = 10 * ZONE_METRICS_MAX;

const emptyHour = (): ZoneHour => ({ devices: 0, readings: 0, metrics: new Map(), leftOut: 0 });

function holdMostVoted(hour: ZoneHour): void {
  if (hour.metrics.size > ZONE_METRICS_HELD_MAX) keepMostVoted(hour, ZONE_METRICS_HELD_MAX / 2);
}

function keepMostVoted(hour: ZoneHour, most: number): ZoneHour {
  if (hour.metrics.size <= most) return hour;
  hour.leftOut += hour.metrics.size - most;
  hour.metrics = new Map(mostVoted(hour.metrics).slice(0, most));
  return hour;
}

function addMetric(hour: ZoneHour, metric: string, { devices, votes, summary }: ZoneMetric): void {
  const known = hour.metrics.get(metric);
  hour.metrics.set(metric, {
    devices: (known?.devices ?? 0) + devices,
    votes: (known?.votes ?? 0) + votes,
    summary: known === undefined ? summary : merge(known.summary, summary),
  });
}

/**
 * PERSISTED: the JSON of `zone_hour.metrics`; `summaries` is what pack-summary.ts packs. Rows of before 2026-12 have no
 * `votes` and no `leftOut`.
 */
interface PackedMetrics {
  devices: Record<string, number>;
  votes?: Record<string, number>;
  leftOut?: number;
  summaries: unknown;
}

/** Most bytes of an hour's JSON as it is bound to a statement, quoted once more: D1 takes 2 MB (D1 limits, 2026-11). */
const PACKED_BYTES_MAX = 1_800_000;

/**
 * Returns the metrics of an hour as JSON, with how many were left out. Of those that would not fit into a row, which only
 * very long names with very wide spreads do, the ones with fewest votes are left out too.
 */
export function packZoneMetrics(hour: Pick<ZoneHour, "metrics" | "leftOut">): string {
  const encoder = new TextEncoder();
  const lines = { devices: [] as string[], votes: [] as string[], summaries: [] as string[] };
  let bytes = 0;
  for (const [metric, { devices, votes, summary }] of mostVoted(hour.metrics)) {
    const name = JSON.stringify(metric);
    const rollup: Rollup = new Map([[metric, [{ startMs: 0, summary }]]]);
    const line = [`${name}:${devices}`, `${name}:${votes}`, packSummaries(rollup).slice(1, -1)] as const;
    bytes += encoder.encode(JSON.stringify(line.join(","))).length;
    if (bytes > PACKED_BYTES_MAX) break;
    lines.devices.push(line[0]);
    lines.votes.push(line[1]);
    lines.summaries.push(line[2]);
  }
  const leftOut = hour.leftOut + hour.metrics.size - lines.devices.length;
  return `{"devices":{${lines.devices}},"votes":{${lines.votes}},"leftOut":${leftOut},"summaries":{${lines.summaries}}}`;
}

/**
 * Returns what `packZoneMetrics` made the JSON of. Of a row without votes each device's vote is split over all metrics
 * of the row.
 */
export function unpackZoneMetrics(text: string): Pick<ZoneHour, "metrics" | "leftOut"> {
  const { devices, votes, leftOut = 0, summaries } = JSON.parse(text) as PackedMetrics;
  const each = Math.round(VOTE / Object.keys(devices).length);
  const metrics = [...unpackSummaries(JSON.stringify(summaries))].map(
    ([metric, [hour]]): [string, ZoneMetric] => [
      metric,
      {
        devices: devices[metric]!,
        votes: votes?.[metric] ?? each * devices[metric]!,
        summary: hour!.summary,
      },
    ],
  );
  return { metrics: new Map(metrics), leftOut };
}
