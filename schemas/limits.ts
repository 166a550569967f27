// Every limit a device, gateway or operator can meet, in one place, free of zod so the hot path may import it.

/** Largest request body after decompression. Bigger: 413. A Worker holds the body, its parse and the batches in 128 MB. */
export const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** Largest JSON body of an operator's request, after decompression. Bigger: 413. A rule with all it can have takes a tenth. */
export const JSON_BODY_BYTES_MAX = 64 * 1024;
/** Most reports in one request. */
export const REPORTS_PER_REQUEST_MAX = 20_000;
/** Most objects and arrays in one request, those that mean nothing included: a report and its metrics are two. */
export const BRACKETS_PER_REQUEST_MAX = 10 * REPORTS_PER_REQUEST_MAX;
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
/** Revisions are INT32 in the archive's files. */
export const REVISION_MAX = 2 ** 31 - 1;
/** From here on to the present no epoch ms is the digits of a date: 209912312359 ms is August 1976. */
export const AT_DIGITS_BELOW = 2.1e11;
/** Most readings in a request that asks for the verdict on each: the answer then has a megabyte or two. */
export const EACH_VERDICT_READINGS_MAX = 10_000;
/** Most problems listed in one answer; the counts stay whole. */
export const PROBLEMS_LISTED_MAX = 100;
/** Longest a device may let the server hold its reports unacknowledged. */
export const COMMIT_EVERY_MS_MAX = 15 * 60_000;
/** Least and most reports a second that a device may be limited to, and most at once. */
export const REPORTS_PER_SECOND_MIN = 0.001;
export const REPORTS_PER_SECOND_MAX = 10_000;
export const BURST_MAX = 1_000_000;
/** Most jobs of a tenant, its deletions aside, that take parts or run at once. */
export const JOBS_PER_TENANT_MAX = 20;
/** How long a tenant's export is kept after it was asked for, and most that a tenant makes within that time. */
export const EXPORT_KEPT_MS = 7 * 86_400_000;
export const EXPORTS_KEPT_MAX = 5;
/** Most bytes that the parts of a tenant's imports take in R2 until those are over: some ten thousand million readings. */
export const IMPORT_BYTES_MAX = 10_000_000_000;
/** Most live viewers that a tenant may be limited to. */
export const VIEWERS_MAX = 1_000_000;
/** Most models that a tenant may give a rate of their own. */
export const MODELS_LIMITED_MAX = 100;
/** Most readings a second, and most devices, that a tenant may be limited to. */
export const READINGS_PER_SECOND_MAX = 10_000_000;
export const DEVICES_MAX = 10_000_000;
/** Frames a device may send in vain, after it was told to slow down, before its socket is closed. */
export const SLOW_FRAMES_MAX = 100;
/** Most devices that one request makes ahead. */
export const DEVICES_PER_REQUEST_MAX = 5_000;
/** Longest a token may last, in seconds: 3,650 days. */
export const TOKEN_SECONDS_MAX = 3_650 * 86_400;
/** Most tokens one request makes or revokes, and most that a tenant has made and are not expired. */
export const TOKENS_PER_REQUEST_MAX = 1_000;
export const TOKENS_PER_TENANT_MAX = 100_000;
/** Longest a provisioning key may be good, in seconds: 366 days. Most of a tenant that are listed, and most devices of one. */
export const PROVISIONING_KEY_SECONDS_MAX = 366 * 86_400;
export const PROVISIONING_KEYS_PER_TENANT_MAX = 1_000;
export const DEVICES_PER_PROVISIONING_KEY_MAX = 100_000;
/** Fewest and most characters of the secret that a device claims its token with. */
export const CLAIM_SECRET_CHARS_MIN = 16;
export const CLAIM_SECRET_CHARS_MAX = 200;
/** Most API keys of a tenant that are not expired, and how often it is noted that one was used. */
export const API_KEYS_PER_TENANT_MAX = 100;
export const API_KEY_USE_NOTED_MS = 3_600_000;
/** For how long an id is void of what ends by itself within minutes: a key that an isolate remembers, a zone that was not told. */
export const VOID_KEPT_MS = 86_400_000;
/** Most rules by which a tenant says who of Cloudflare Access may do what. */
export const ACCESS_RULES_MAX = 200;
/** How far a token's time of issue may lie ahead of our clock: one of next year would outlast its revocation. */
export const ISSUED_AHEAD_MS_MAX = 60_000;
/** Most tokens of one device that are revoked one by one, and of a tenant's gateways and people. */
export const REVOKED_PER_DEVICE_MAX = 50;
export const REVOKED_GATEWAYS_MAX = 100;
export const REVOKED_PEOPLE_MAX = 1_000;
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
/** What stands for the deployment itself where a tenant's name would: no tenant can be called so. */
export const DEPLOYMENT = "*";
/** What stands where a zone's name would in what is told of a tenant's limits: no zone can be called so. */
export const LIMITS_ZONE = "~limits";

/**
 * ISO 8601 date and time, extended or basic: `2026-01-10T06:00:00.123Z`, `20260110T060000,123+0530`. A blank may stand for
 * the T and before the offset, as databases write it; the minus may be the true one. Without an offset it is UTC.
 */
export const ISO_INSTANT =
  /^(\d{4})(-?)(\d\d)\2(\d\d)[Tt ](\d\d)(:?)(\d\d)(?:\6(\d\d)(?:[.,](\d{1,9}))?)?(?: ?([Zz]|[+\-\u2212]\d\d(?::?\d\d)?))?$/;

/** Most metrics of a device in the snapshot of its zone, and in one update of a stream. */
export const GLANCE_METRICS_MAX = 50;

/** Most tests of one channel within a minute: each is a message to somebody else's server. */
export const CHANNEL_TESTS_PER_MINUTE_MAX = 3;

/** Most bytes of a snapshot as JSON, the first frame of a stream too; what does not fit is counted in it. */
export const SNAPSHOT_BYTES_MAX = 1024 * 1024;
/** Most bytes of it that active alerts take. */
export const ALERT_BYTES_MAX = 256 * 1024;
/** Most names of devices or zones in it that did not answer. */
export const MISSING_LISTED_MAX = 500;
/** Most devices in a page of a zone's snapshot. */
export const SNAPSHOT_PAGE_MAX = 500;
