// A call to D1 or R2 → its answer, or in bounded time a problem that asks the caller to try again.
import { Problem } from "../problem.ts";
import { within } from "../within.ts";

/** Longer than any question these Workers ask takes: a year of hours of a device is answered in a tenth of it. */
const STORAGE_ANSWERS_MS = 5_000;

/** @throws Problem `unavailable` when the call fails or goes unanswered; only for what is safe to do twice. */
export async function fromStorage<T>(
  who: "D1" | "R2",
  call: Promise<T>,
  limitMs = STORAGE_ANSWERS_MS,
): Promise<T> {
  try {
    return await within(limitMs, who, call);
  } catch (error) {
    if (error instanceof Problem) throw error;
    // drizzle says which statement failed, and only its cause why.
    console.error("storage failed", {
      who,
      error: String(error),
      cause: String((error as Error).cause ?? ""),
    });
    throw new Problem("unavailable", `${who} cannot answer right now; ask the same again`);
  }
}
