// A call to D1 or R2 → its answer, or in bounded time a problem that asks the caller to try again.
import { logFailure, missingMigration } from "../missing-migration.ts";
import { Problem } from "../problem.ts";
import { withDeadline } from "../with-deadline.ts";

/** Longer than any question these Workers ask takes: a year of hours of a device is answered in a tenth of it. */
const STORAGE_ANSWERS_MS = 5_000;

/**
 * Returns what a call of D1 or R2 resolves to; only for calls that are safe to make twice.
 * @throws Problem `migrations_missing`, or `unavailable` when the call fails or is not answered within `limitMs`.
 */
export async function fromStorage<T>(
  who: "D1" | "R2",
  call: Promise<T>,
  limitMs = STORAGE_ANSWERS_MS,
): Promise<T> {
  try {
    return await withDeadline(limitMs, who, call);
  } catch (error) {
    if (error instanceof Problem) throw error;
    logFailure("error", "storage failed", { who }, error);
    const missing = missingMigration(error);
    if (missing !== undefined) throw new Problem("migrations_missing", missing);
    throw new Problem("unavailable", `${who} cannot answer right now; ask the same again`);
  }
}
