// Waits for what happens soon but at no promised instant.
import { setTimeout as sleep } from "node:timers/promises";

const DEADLINE_MS = 90_000;

/** The first answer of `look` that is not undefined; `what` says what never came, or says at the end how far it was. */
export async function until<T>(
  what: string | (() => string),
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline; await sleep(50)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(`waited in vain: ${typeof what === "string" ? what : what()}`);
}
