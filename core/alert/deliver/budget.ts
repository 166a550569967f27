// How many messages a channel took in the last hour → whether it may take another.
import type { Severity } from "../../../schemas/alert.ts";

/** The time a channel's budget is for, in ms: the last hour, whenever it began. */
export const BUDGET_MS = 3_600_000;

/**
 * Whether a message is within the channel's budget of `perHourMax` messages, null for any number. `takenCount` is the
 * messages of the last hour that were not critical, waiting or sent. A critical message is always within the budget,
 * and uses nothing of it.
 */
export const isWithinBudget = (severity: Severity, takenCount: number, perHourMax: number | null): boolean =>
  severity === "critical" || perHourMax === null || takenCount < perHourMax;
