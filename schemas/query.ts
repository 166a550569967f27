// What an operator asks and what the API answers.
import * as z from "zod";
import { isoText, otherUnitOf, parseIso, spelledIn } from "./instant.ts";
import { DEVICES_PER_REQUEST_MAX, METRICS_PER_REPORT_MAX, POINTS_MAX } from "./limits.ts";
import { latestReading, reportEveryMs } from "./live.ts";
import { deviceName, labelOrNothing, storedMetricName, timeZone, zoneName } from "./name.ts";
import { ownRate } from "./tenant.ts";

/** A `+` that was not escaped in an address is a blank: what follows a time after one is an offset. */
const UNESCAPED_PLUS = /^(.{8,10}[Tt ][\d:.,]{4,18}) (\d\d(?::?\d\d)?)$/;

/** Epoch ms of a number or text; a number that is no epoch ms of any use is refused as `at` would be. */
function readInstant(given: string | number, ctx: z.RefinementCtx<string | number>): number {
  const isNumber = typeof given === "number" || /^\d{1,23}(\.\d{1,9})?$/.test(given);
  const ms = isNumber ? Number(given) : parseIso(given);
  const message = isNumber ? whyNotMs(Number(given)) : undefined;
  if (ms !== undefined && message === undefined) return ms;
  ctx.addIssue({ code: "custom", message: message ?? whyNotIso(String(given)) });
  return z.NEVER;
}

function whyNotMs(ms: number): string | undefined {
  const unit = otherUnitOf(ms);
  if (unit === undefined) return Number.isInteger(ms) && ms >= 0 ? undefined : INSTANT_IS;
  const spelled = spelledIn(ms);
  const remedy =
    spelled === undefined ? `${INSTANT_IS}: ${ms < 1e11 ? "× 1000" : "÷ 1000 or more"}` : isoText(spelled);
  return `looks like ${unit}; ${spelled === undefined ? remedy : `write ${remedy}`}`;
}

const whyNotIso = (text: string): string =>
  /^\d{4}-\d\d-\d\d$/.test(text) ? `a day is no instant, write ${text}T00:00Z; ${INSTANT_IS}` : INSTANT_IS;

const INSTANT_IS = "an instant is epoch ms or ISO 8601";

/** An instant in a query string: epoch ms or ISO 8601; parsed to epoch ms. */
export const instant = z
  .string()
  .transform((text, ctx) => readInstant(text.replace(UNESCAPED_PLUS, "$1+$2"), ctx));
/** An instant in a body: the same, as text or as a number. */
export const bodyInstant = z.union([z.string(), z.number()], { error: INSTANT_IS }).transform(readInstant);

export const RESOLUTION_MS = { "1m": 60_000, "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000 } as const;
export const resolution = z.enum(["auto", "raw", "1m", "5m", "1h", "1d"]);
export type Resolution = z.infer<typeof resolution>;
export type Tier = "hot" | "warm" | "cold";

/** The range of a question is half-open; `to` absent = now, `from` absent = an hour before `to`. */
const range = { from: instant.optional(), to: instant.optional() };
const pointCount = z.coerce.number().int().min(1).max(POINTS_MAX);
/** How more points than `maxPoints` are made fewer: each bucket's least and greatest, or largest triangle three buckets. */
export const thinMethod = z.enum(["minmax", "lttb"]);
export type ThinMethod = z.infer<typeof thinMethod>;

/**
 * `GET /v1/devices/:device/history`. `source` pins the tier. `maxPoints` bounds the answer; or `limit` asks for a page and
 * `after`, the `next` of the page before, for the one that follows. `tz`: whose days and hours the windows are; UTC's unless
 * said.
 */
export const historyQuery = z.object({
  metric: storedMetricName,
  ...range,
  resolution: resolution.default("auto"),
  source: z.enum(["auto", "hot", "warm", "cold"]).default("auto"),
  maxPoints: pointCount.optional(),
  thin: thinMethod.default("minmax"),
  tz: timeZone.optional(),
  limit: pointCount.optional(),
  after: z.string().max(128).optional(),
});
export type HistoryQuery = z.infer<typeof historyQuery>;

export const exportFormat = z.enum(["ndjson", "csv"]);
export type ExportFormat = z.infer<typeof exportFormat>;

/** `GET /v1/devices/:device/history/export`: `metric` once or several times; without `format` the `Accept` header says. */
export const exportQuery = z.object({
  metric: z
    .array(storedMetricName)
    .min(1, { error: "name a metric, or several" })
    .max(METRICS_PER_REPORT_MAX),
  ...range,
  resolution: resolution.exclude(["auto"]).default("raw"),
  tz: timeZone.optional(),
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
  /** How many more readings the device sent beyond its rate, which are only counted; absent: none. */
  thinned: z.number().int().optional(),
});
export type WindowPoint = z.infer<typeof windowPoint>;

const segments = z.array(
  z.object({ source: z.enum(["hot", "warm", "cold"]), startMs: z.number(), endMs: z.number() }),
);

/**
 * `source` is the tier that answered, `mixed` when several were stitched; `segments` says which answered what. `next` is
 * the `after` of the page that follows, null when there is none. `thinned` says how `from` so many points became fewer.
 * `tz` is that of the question.
 */
export const historyAnswer = z.object({
  device: deviceName,
  metric: z.string(),
  source: z.enum(["hot", "warm", "cold", "mixed"]),
  resolution: resolution.exclude(["auto"]),
  tz: z.string().optional(),
  segments,
  points: z.union([z.array(rawPoint), z.array(windowPoint)]),
  next: z.string().nullable(),
  thinned: z.object({ method: thinMethod, from: z.number().int() }).optional(),
  /** How many readings of the range were left out, for they came beyond the device's rate; absent: none is known of. */
  leftOut: z.number().int().optional(),
  bytesRead: z.number().int().optional(),
});
export type HistoryAnswer = z.infer<typeof historyAnswer>;

/**
 * `GET /v1/fleet/history`, `GET /v1/zones/:zone/history`. Hours and days are computed before; `1m` and `5m`, and with
 * `live` what is not settled yet, are asked of the devices.
 */
export const fleetHistoryQuery = z.object({
  metric: storedMetricName,
  ...range,
  resolution: z.enum(["1m", "5m", "1h", "1d"]).default("1h"),
  tz: timeZone.optional(),
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
  tz: z.string().optional(),
  segments,
  points: z.array(fleetPoint),
  settledToMs: z.number().nullable(),
  dirtyHours: z.number().int(),
  hoursFromMs: z.number().nullable(),
  metricsLeftOut: z.number().int(),
  partial: z.boolean(),
  missing: z.array(deviceName),
});
export type FleetHistoryAnswer = z.infer<typeof fleetHistoryAnswer>;

/** `GET /v1/fleet/names`: every parameter that is there has to fit; `device`: what its id is or begins with. */
export const namesQuery = z.object({
  zone: zoneName.optional(),
  model: z.string().min(1).max(128).optional(),
  device: deviceName.optional(),
});
export type NamesQuery = z.infer<typeof namesQuery>;

/**
 * What there is to choose from. `devices`, by id: at most 200; `models`: of the first thousand devices of the zone, whatever
 * `model` was asked for; `metrics`: what the first ten of `devices` reported last, at most 200, by the votes of
 * these: each device's one vote is split over its metrics; `metricsLeftOut`: how many more they have. `partial`: there are
 * more devices than were asked.
 */
export const namesAnswer = z.object({
  devices: z.array(z.object({ device: deviceName, name: z.string().nullable() })),
  models: z.array(z.string()),
  metrics: z.array(z.string()),
  metricsLeftOut: z.number().int().default(0),
  partial: z.boolean(),
});
export type NamesAnswer = z.infer<typeof namesAnswer>;

/** What an operator may say of a device. */
export const deviceProfile = z.strictObject({
  zone: zoneName.optional(),
  name: labelOrNothing(200).nullable().optional(),
  model: labelOrNothing(200).nullable().optional(),
  location: z
    .strictObject({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) })
    .nullable()
    .optional(),
  /** The device it reports through: while that is silent too, nobody is told that this one is. */
  gateway: deviceName.nullable().optional(),
  /** What it may send; null: what its model or tenant says. */
  limits: ownRate.nullable().optional(),
});
export type DeviceProfile = z.infer<typeof deviceProfile>;

/**
 * A device as the registry knows it. `firstSeenAt` null: registered, but it never reported. `newestAt`: the instant of its
 * newest reading, also one that was imported; null: none was found. Absent unless it is asked for.
 */
export const deviceEntry = z.object({
  device: deviceName,
  zone: zoneName,
  name: z.string().nullable(),
  model: z.string().nullable(),
  location: z.object({ latitude: z.number(), longitude: z.number() }).nullable(),
  firstSeenAt: z.number().nullable(),
  gateway: deviceName.nullable(),
  limits: ownRate.nullable(),
  newestAt: z.number().nullable().optional(),
  /** How much it sends, of a list of those that send too much. */
  reportsPerSecond: z.number().optional(),
});
export type DeviceEntry = z.infer<typeof deviceEntry>;

/**
 * `PUT /v1/devices/:device`: what is named changes, the rest stays; `device` and `firstSeenAt` as GET returns them,
 * or not at all. `newestAt` and `reportsPerSecond`, which a list may have, are taken back and not looked at: they change
 * with each reading.
 */
export const deviceChange = deviceProfile.extend(
  deviceEntry.pick({ device: true, firstSeenAt: true, newestAt: true, reportsPerSecond: true }).partial()
    .shape,
);

/** A device that is to be there before it reports. */
export const newDevice = deviceProfile.omit({ limits: true }).extend({ device: deviceName });
export type NewDevice = z.infer<typeof newDevice>;

/** `POST /v1/devices`: one device, or many, each of which is judged alone. */
export const newDevices = z.strictObject({
  devices: z.array(z.unknown()).min(1).max(DEVICES_PER_REQUEST_MAX),
});

/**
 * What became of each, in the order they came: `made`; `exists`, and is left as it is; or `invalid`, and why. The counts are of
 * all, the list of those that were not made.
 */
export const devicesMade = z.object({
  made: z.number().int(),
  exists: z.number().int(),
  invalid: z.number().int(),
  others: z.array(
    z.object({
      index: z.number().int(),
      device: z.string().nullable(),
      result: z.enum(["exists", "invalid"]),
      detail: z.string(),
    }),
  ),
});
export type DevicesMade = z.infer<typeof devicesMade>;

/** The same of a CSV file, of each of its lines, the made ones too; `line` is the file's own. */
export const devicesMadeOfLines = devicesMade.omit({ others: true }).extend({
  lines: z.array(
    z.object({
      line: z.number().int(),
      device: z.string().nullable(),
      result: z.enum(["made", "exists", "invalid"]),
      detail: z.string().nullable(),
    }),
  ),
});
export type DevicesMadeOfLines = z.infer<typeof devicesMadeOfLines>;

export const deviceList = z.object({ devices: z.array(deviceEntry), next: z.string().nullable() });
export const zoneList = z.object({ zones: z.array(z.object({ zone: zoneName, devices: z.number().int() })) });
export const fleetAnswer = z.object({
  tenant: z.string(),
  devices: z.number().int(),
  zones: z.array(z.object({ zone: zoneName, devices: z.number().int() })),
});

/** `GET /v1/devices/:device/latest`: what the device itself reported. `clock` counts readings taken in whose `at` was odd, since the device's first report. */
export const latestAnswer = z.object({
  device: deviceName,
  zone: zoneName,
  connected: z.boolean(),
  lastReceivedAt: z.number().nullable(),
  reportEveryMs,
  metrics: z.record(z.string(), latestReading),
  clock: z.object({ behind: z.number().int(), ahead: z.number().int() }),
});
export type LatestAnswer = z.infer<typeof latestAnswer>;

export const storedReading = z.object({ at: z.number(), value: z.number() });
export type StoredReading = z.infer<typeof storedReading>;

/**
 * `GET /v1/devices/:device/extent`: where its readings lie, reported or imported. `fromMs`: the hour or block the oldest stored
 * one lies in; null: nothing is stored yet. `metrics`: the newest reading of each.
 */
export const extentAnswer = z.object({
  device: deviceName,
  fromMs: z.number().nullable(),
  metrics: z.record(z.string(), storedReading),
});
export type ExtentAnswer = z.infer<typeof extentAnswer>;

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

/** `GET /v1/tenant/activity`. The range is widened to whole buckets, of UTC. */
export const activityQuery = z.object({
  ...range,
  bucket: z.enum(["1h", "1d"]).default("1h"),
  after: deviceName.optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});
export type ActivityQuery = z.infer<typeof activityQuery>;

/**
 * A page of the tenant's devices by id, and how many readings of how many metrics each has by bucket. Before
 * `countedFromMs` the archive does not keep all. Buckets before `archivedToMs` are counted from the archive, for they have
 * left D1. From `settledToMs` on devices may still hold what is not counted yet.
 */
export const activityAnswer = z.object({
  bucket: z.enum(["1h", "1d"]),
  fromMs: z.number(),
  toMs: z.number(),
  countedFromMs: z.number(),
  archivedToMs: z.number(),
  settledToMs: z.number(),
  devices: z.array(
    z.object({
      device: deviceName,
      zone: z.string(),
      name: z.string().nullable(),
      /** Null: they are too much to be counted at once (8 MB of rollups, 200,000 rows of the archive); ask for a shorter range. */
      readings: z.number().int().nullable(),
      /** Those that have readings, ascending. */
      buckets: z.array(
        z.object({ startMs: z.number(), readings: z.number().int(), metrics: z.number().int() }),
      ),
    }),
  ),
  next: deviceName.nullable(),
});
export type ActivityAnswer = z.infer<typeof activityAnswer>;
