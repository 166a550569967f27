// Error and verdict codes as plain lists, free of zod so the hot path may import them.

/** The six verdicts; every reading of every request gets exactly one. The order is the order of `Verdicts.counts`. */
export const VERDICTS = ["stored", "duplicate", "corrected", "late", "quarantined", "refused"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Why a reading or report was refused. */
export const READING_CODES = [
  "malformed_json",
  "invalid_report",
  "device_missing",
  "device_mismatch",
  "invalid_device",
  "invalid_metric_name",
  "too_many_metrics",
  "too_many_reports",
  "not_a_number",
  "not_finite",
  "invalid_at",
  "at_in_seconds",
  "at_in_microseconds",
  "at_in_future",
  "too_old",
  "unavailable",
] as const;
export type ReadingCode = (typeof READING_CODES)[number];

/** Why a whole request was refused, with its HTTP status. */
export const PROBLEM_STATUS = {
  malformed_json: 400,
  invalid_report: 400,
  invalid_query: 400,
  invalid_body: 400,
  invalid_rule: 400,
  invalid_target: 400,
  empty_body: 400,
  token_missing: 401,
  token_invalid: 401,
  token_expired: 401,
  forbidden: 403,
  device_mismatch: 403,
  not_found: 404,
  device_not_found: 404,
  zone_not_found: 404,
  rule_not_found: 404,
  alert_not_found: 404,
  incident_not_found: 404,
  channel_not_found: 404,
  silence_not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  upgrade_required: 426,
  unavailable: 503,
  not_configured: 503,
  internal: 500,
} as const;
export type ProblemCode = keyof typeof PROBLEM_STATUS;
export const PROBLEM_CODES = Object.keys(PROBLEM_STATUS) as [ProblemCode, ...ProblemCode[]];

export interface ReadingProblem {
  index: number;
  metric?: string;
  code: ReadingCode;
  message: string;
}
