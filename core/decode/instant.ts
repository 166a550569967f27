// `at` as a device may write it → epoch ms.
import { ISO_INSTANT } from "../../schemas/limits.ts";

/** Epoch ms of a finite number or an ISO 8601 text (UTC when it has no offset); undefined for anything else. */
export function instantOf(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "string" || !ISO_INSTANT.test(value)) return undefined;
  const ms = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(value) ? value : `${value}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}
