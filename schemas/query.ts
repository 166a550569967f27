// What an operator asks and what the API answers.
import * as z from "zod";
import { parseIso } from "./instant.ts";
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

/** `GET /v1/devices/:device/history`. The range is half-open; `to` absent = now, `from` absent = an hour before `to`. `source` pins the tier. */
export const historyQuery = z.object({
  metric: metricName,
  from: instant.optional(),
  to: instant.optional(),
  resolution: resolution.default("auto"),
  source: z.enum(["auto", "hot", "warm", "cold"]).default("auto"),
});
export type HistoryQuery = z.infer<typeof historyQuery>;

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

/** `source` is the tier that answered, `mixed` when several were stitched; `segments` says which answered what. */
export const historyAnswer = z.object({
  device: deviceName,
  metric: z.string(),
  source: z.enum(["hot", "warm", "cold", "mixed"]),
  resolution: resolution.exclude(["auto"]),
  segments: z.array(
    z.object({ source: z.enum(["hot", "warm", "cold"]), startMs: z.number(), endMs: z.number() }),
  ),
  points: z.union([z.array(rawPoint), z.array(windowPoint)]),
  bytesRead: z.number().int().optional(),
});
export type HistoryAnswer = z.infer<typeof historyAnswer>;

/** What an operator may say of a device. */
export const deviceProfile = z.object({
  zone: zoneName.optional(),
  name: z.string().max(200).nullable().optional(),
  model: z.string().max(200).nullable().optional(),
  location: z
    .object({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) })
    .nullable()
    .optional(),
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

/** One file of the archive, as the manifest knows it; the range is half-open, in epoch ms of `at`. */
export const archiveFile = z.object({
  key: z.string(),
  kind: z.literal("raw"),
  date: z.string(),
  fromMs: z.number(),
  toMs: z.number(),
  rows: z.number().int(),
  bytes: z.number().int(),
  createdAt: z.number(),
});
export const archiveAnswer = z.object({ files: z.array(archiveFile), next: z.string().nullable() });
