// How many messages a channel took in the last hour → whether it may take another.
import type { Severity } from "../../../schemas/alert.ts";

/** The budget is of the last hour, whenever that began. */
export const BUDGET_MS = 3_600_000;

/**
 * Whether a message is within the channel's budget. `takenCount`: messages of the last hour that were not critical,
 * waiting or sent. A critical message always is, and uses nothing of it.
 */
export const isWithinBudget = (severity: Severity, takenCount: number, perHourMax: number | null): boolean =>
  severity === "critical" || perHourMax === null || takenCount < perHourMax;
