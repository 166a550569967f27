// What an operator asks and what the API answers.
import * as z from "zod";
import { parseIso } from "./instant.ts";
import { METRICS_PER_REPORT_MAX, POINTS_MAX } from "./limits.ts";
import { latestReading } from "./live.ts";
import { deviceName, metricName, zoneName } from "./name.ts";

/** The last instant a JavaScript date has: 13 September 275760. */
const LAST_INSTANT = 8.64e15;

/** An instant in a query string: epoch ms or ISO 8601; parsed to epoch ms. */
export const instant = z
  .string()
  .transform((text) => (/^\d{1,16}$/.test(text) ? Number(text) : parseIso(text)))
  .refine((at) => at !== undefined && at <= LAST_INSTANT, { error: "an instant is epoch ms or ISO 8601" })
  .transform((at) => at!);

export const RESOLUTION_MS = { "1m": 60_000, "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000 } as const;
export const resolution = z.enum(["auto", "raw", "1m", "5m", "1h", "1d"]);
export type Resolution = z.infer<typeof resolution>;
export type Tier = "hot" | "warm" | "cold";

/** The range of a question is half-open; `to` absent = now, `from` absent = an hour before `to`. */
const range = { from: instant.optional(), to: instant.optional() };
const pointCount = z.coerce.number().int().min(1).max(POINTS_MAX);
/** How more points than `maxPoints` are made fewer: largest triangle three buckets, or each bucket's least and greatest. */
export const thinMethod = z.enum(["lttb", "minmax"]);
export type ThinMethod = z.infer<typeof thinMethod>;

/**
 * `GET /v1/devices/:device/history`. `source` pins the tier. `maxPoints` bounds the answer; or `limit` asks for a page and
 * `after`, the `next` of the page before, for the one that follows.
 */
export const historyQuery = z.object({
  metric: metricName,
  ...range,
  resolution: resolution.default("auto"),
  source: z.enum(["auto", "hot", "warm", "cold"]).default("auto"),
  maxPoints: pointCount.optional(),
  thin: thinMethod.default("lttb"),
  limit: pointCount.optional(),
  after: z.string().max(64).optional(),
});
export type HistoryQuery = z.infer<typeof historyQuery>;

export const exportFormat = z.enum(["ndjson", "csv"]);
export type ExportFormat = z.infer<typeof exportFormat>;

/** `GET /v1/devices/:device/history/export`: `metric` once or several times; without `format` the `Accept` header says. */
export const exportQuery = z.object({
  metric: z.array(metricName).min(1, { error: "name a metric, or several" }).max(METRICS_PER_REPORT_MAX),
  ...range,
  resolution: resolution.exclude(["auto"]).default("raw"),
  format: exportFormat.optional(),
});
export type ExportQuery = z.infer<typeof exportQuery>;

export const rawPoint = z.object({ at: z.number(), value: z.number() });
export type RawPoint = z.infer<typeof rawPoint>;
export const windowPoint = z.object({
  startMs: z.number(),
  endMs: z.number(),
  count: z.number().int(),
  min: z.number(),
  max: z.number(),
  mean: z.number(),
  sum: z.number(),
  stddev: z.number(),
  first: z.number(),
  last: z.number(),
  /** Within 1 % of the reading of that rank; absent where hours stored by an older version have a part in the window. */
  p50: z.number().optional(),
  p95: z.number().optional(),
  p99: z.number().optional(),
});
export type WindowPoint = z.infer<typeof windowPoint>;

const segments = z.array(
  z.object({ source: z.enum(["hot", "warm", "cold"]), startMs: z.number(), endMs: z.number() }),
);

/**
 * `source` is the tier that answered, `mixed` when several were stitched; `segments` says which answered what. `next` is
 * the `after` of the page that follows, null when there is none. `thinned` says how `from` so many points became fewer.
 */
export const historyAnswer = z.object({
  device: deviceName,
  metric: z.string(),
  source: z.enum(["hot", "warm", "cold", "mixed"]),
  resolution: resolution.exclude(["auto"]),
  segments,
  points: z.union([z.array(rawPoint), z.array(windowPoint)]),
  next: z.string().nullable(),
  thinned: z.object({ method: thinMethod, from: z.number().int() }).optional(),
  bytesRead: z.number().int().optional(),
});
export type HistoryAnswer = z.infer<typeof historyAnswer>;

/**
 * `GET /v1/fleet/history`, `GET /v1/zones/:zone/history`. Hours and days are computed before; `1m` and `5m`, and with
 * `live` what is not settled yet, are asked of the devices.
 */
export const fleetHistoryQuery = z.object({
  metric: metricName,
  ...range,
  resolution: z.enum(["1m", "5m", "1h", "1d"]).default("1h"),
  live: z
    .enum(["true", "false"])
    .default("false")
    .transform((text) => text === "true"),
});
export type FleetHistoryQuery = z.infer<typeof fleetHistoryQuery>;

/** `devices`: how many reported the metric; for a day, the most that did in one of its hours. */
export const fleetPoint = windowPoint.omit({ first: true, last: true }).extend({ devices: z.number().int() });
export type FleetPoint = z.infer<typeof fleetPoint>;

/**
 * Every block that came in time is counted before `settledToMs`; null: all was asked of the devices. `dirtyHours` of the
 * range are being computed anew. `hoursFromMs`: the first hour there is; hours before it nobody reported, or they are older
 * than the year that D1 keeps, and in the archive's hourly files. Null: none. `partial`: the devices in `missing` did not answer, or do not hold all of the range.
 */
export const fleetHistoryAnswer = z.object({
  zone: zoneName.nullable(),
  metric: z.string(),
  source: z.enum(["hot", "warm", "mixed"]),
  resolution: z.enum(["1m", "5m", "1h", "1d"]),
  segments,
  points: z.array(fleetPoint),
  settledToMs: z.number().nullable(),
  dirtyHours: z.number().int(),
  hoursFromMs: z.number().nullable(),
  partial: z.boolean(),
  missing: z.array(deviceName),
});
export type FleetHistoryAnswer = z.infer<typeof fleetHistoryAnswer>;

/** What an operator may say of a device. */
export const deviceProfile = z.object({
  zone: zoneName.optional(),
  name: z.string().max(200).nullable().optional(),
  model: z.string().max(200).nullable().optional(),
  location: z
    .object({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) })
    .nullable()
    .optional(),
  /** The device it reports through: while that is silent too, nobody is told that this one is. */
  gateway: deviceName.nullable().optional(),
});
export type DeviceProfile = z.infer<typeof deviceProfile>;

/** A device as the registry knows it. `firstSeenAt` null: registered, but it never reported. */
export const deviceEntry = z.object({
  device: deviceName,
  zone: zoneName,
  name: z.string().nullable(),
  model: z.string().nullable(),
  location: z.object({ latitude: z.number(), longitude: z.number() }).nullable(),
  firstSeenAt: z.number().nullable(),
  gateway: deviceName.nullable(),
});
export type DeviceEntry = z.infer<typeof deviceEntry>;

export const deviceList = z.object({ devices: z.array(deviceEntry), next: z.string().nullable() });
export const zoneList = z.object({ zones: z.array(z.object({ zone: zoneName, devices: z.number().int() })) });
export const fleetAnswer = z.object({
  tenant: z.string(),
  devices: z.number().int(),
  zones: z.array(z.object({ zone: zoneName, devices: z.number().int() })),
});

/** `GET /v1/devices/:device/latest`. `clock` counts readings taken in whose `at` was odd, since the device's first report. */
export const latestAnswer = z.object({
  device: deviceName,
  zone: zoneName,
  connected: z.boolean(),
  lastReceivedAt: z.number().nullable(),
  metrics: z.record(z.string(), latestReading),
  clock: z.object({ behind: z.number().int(), ahead: z.number().int() }),
});
export type LatestAnswer = z.infer<typeof latestAnswer>;

/**
 * One file of the archive, as the manifest knows it; the range is half-open, in epoch ms. `date` is the day of raw
 * readings, the first of the month of hourly windows.
 */
export const archiveFile = z.object({
  key: z.string(),
  kind: z.enum(["raw", "hourly"]),
  date: z.string(),
  fromMs: z.number(),
  toMs: z.number(),
  rows: z.number().int(),
  bytes: z.number().int(),
  createdAt: z.number(),
});
export const archiveAnswer = z.object({ files: z.array(archiveFile), next: z.string().nullable() });
