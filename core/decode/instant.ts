// `at` as a device may write it → epoch ms.
import { parseIso } from "../../schemas/instant.ts";

/**
 * Returns the epoch ms of a finite number or an ISO 8601 text (UTC when it has no offset); undefined for anything
 * else.
 */
export function instantOf(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  return typeof value === "string" ? parseIso(value) : undefined;
}
