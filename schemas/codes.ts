// Error and verdict codes as plain lists, free of zod so the hot path may import them.

/**
 * The six verdicts; every reading of every request gets exactly one. The order is the order of `Verdicts.counts`.
 * `quarantined` counts nothing yet: it is for readings that a model's schema sets apart.
 */
export const VERDICTS = ["stored", "duplicate", "corrected", "late", "quarantined", "refused"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Why more was refused than somebody may send: time or somebody's decision mends it. */
export const LIMIT_CODES = ["rate_limited", "quota_devices", "quota_readings", "quota_storage"] as const;
export type LimitCode = (typeof LIMIT_CODES)[number];

/** Why a reading or report was refused, and what is said of one that was not (`NOTE_CODES`). */
export const READING_CODES = [
  "malformed_json",
  "invalid_report",
  "device_missing",
  "device_mismatch",
  "invalid_device",
  "invalid_metric_name",
  "too_many_metrics",
  ...LIMIT_CODES,
  "not_a_number",
  "not_finite",
  "invalid_at",
  "at_in_seconds",
  "at_in_microseconds",
  "at_in_digits",
  "at_in_future",
  "too_old",
  "token_revoked",
  "unavailable",
  "precision_lost",
  "leap_second",
  "unknown_field",
] as const;
export type ReadingCode = (typeof READING_CODES)[number];

/**
 * Codes that refuse nothing and count in no verdict: an integer was rounded, a leap second became the next second, or a
 * part of the report means nothing here.
 */
export const NOTE_CODES: ReadonlySet<ReadingCode> = new Set([
  "precision_lost",
  "leap_second",
  "unknown_field",
]);

/** Why a whole request was refused, with its HTTP status. */
export const PROBLEM_STATUS = {
  malformed_json: 400,
  invalid_report: 400,
  invalid_query: 400,
  invalid_body: 400,
  invalid_rule: 400,
  invalid_target: 400,
  unknown_setting: 400,
  empty_body: 400,
  token_missing: 401,
  token_invalid: 401,
  token_expired: 401,
  token_revoked: 401,
  forbidden: 403,
  device_mismatch: 403,
  key_used_up: 403,
  not_found: 404,
  device_not_found: 404,
  rule_not_found: 404,
  alert_not_found: 404,
  incident_not_found: 404,
  channel_not_found: 404,
  silence_not_found: 404,
  token_not_found: 404,
  provisioning_key_not_found: 404,
  api_key_not_found: 404,
  tenant_not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  already_claimed: 409,
  precondition_failed: 412,
  payload_too_large: 413,
  unsupported_media_type: 415,
  range_not_satisfiable: 416,
  upgrade_required: 426,
  rate_limited: 429,
  quota_devices: 429,
  quota_readings: 429,
  quota_storage: 429,
  quota_viewers: 429,
  quota_jobs: 429,
  quota_imports: 429,
  too_many_failures: 429,
  unavailable: 503,
  not_configured: 503,
  migrations_missing: 503,
  internal: 500,
} as const;
export type ProblemCode = keyof typeof PROBLEM_STATUS;
export const PROBLEM_CODES = Object.keys(PROBLEM_STATUS) as [ProblemCode, ...ProblemCode[]];

export interface ReadingProblem {
  index: number;
  metric?: string;
  code: ReadingCode;
  message: string;
  /** When the same may be sent again, of a refusal for the rate. */
  retryAfterMs?: number;
}
