// The device every price is told for: 10 metrics every 10 s, 30 days.

export const REPORT_EVERY_MS = 10_000;
export const METRICS_PER_REPORT = 10;
export const DEVICE_MONTH_MS = 30 * 86_400_000;
export const REPORTS_A_DEVICE_MONTH = DEVICE_MONTH_MS / REPORT_EVERY_MS;
