// Every limit a device, gateway or operator can meet, in one place, free of zod so the hot path may import it.

/** Largest request body after decompression. Bigger: 413. A Worker holds the body, its parse and the batches in 128 MB. */
export const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** Most reports in one request. */
export const REPORTS_PER_REQUEST_MAX = 20_000;
/** Most metrics in one report, and most distinct metrics a device may have in one block. */
export const METRICS_PER_REPORT_MAX = 1_000;
/** Longest metric name, in UTF-8 bytes. */
export const METRIC_NAME_BYTES_MAX = 128;
/** Longest sum of metric names of one device in one block: with it a block always fits one queue message. */
export const METRIC_NAMES_BYTES_MAX = 32 * 1024;
/** Largest WebSocket frame a device may send. */
export const FRAME_BYTES_MAX = 64 * 1024;
/** How far a reading's `at` may lie ahead of the receipt clock. */
export const AT_AHEAD_MS_MAX = 10 * 60_000;
/** A reading is flagged `behind` when its `at` lies more than this before its receipt: a stale clock, or a backlog. */
export const CLOCK_BEHIND_MS = 5 * 60_000;
/** `at` below this is taken for seconds: 1e11 ms is March 1973, 1e11 s is the year 5138. */
export const AT_SECONDS_BELOW = 1e11;
/** `at` above this is taken for micro- or nanoseconds: 1e14 ms is the year 5138. */
export const AT_MICROSECONDS_ABOVE = 1e14;
/** Most problems listed in one answer; the counts stay whole. */
export const PROBLEMS_LISTED_MAX = 100;
/** Longest a device may let the server hold its reports unacknowledged. */
export const COMMIT_EVERY_MS_MAX = 15 * 60_000;
/** Most raw readings one question may touch, and most archive files: a Worker has 128 MB. */
export const READINGS_PER_QUERY_MAX = 500_000;
export const FILES_PER_QUERY_MAX = 1_000;
/** Most points a history answer holds. */
export const POINTS_MAX = 50_000;
/** Most alert rules that one device keeps: it judges every reading by each. */
export const RULES_PER_DEVICE_MAX = 50;
/** Most rules, channels and silences of a tenant. */
export const RULES_PER_TENANT_MAX = 200;
export const CHANNELS_PER_TENANT_MAX = 50;
export const SILENCES_PER_TENANT_MAX = 500;

/** Tenant, zone and device names: URL-safe, never empty, never a path. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** ISO 8601 date and time; without an offset it is UTC. */
export const ISO_INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?$/;
