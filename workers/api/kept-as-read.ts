// What a caller sent back of an answer ↔ what is stored: a part that only we write is neither changed nor left unsaid.
import { Problem } from "../problem.ts";

/**
 * Checks that a caller changes none of the `keys` that only we write.
 * @throws Problem `conflict`: one was sent, and is not what is stored.
 */
export function keptAsRead<T extends object>(sent: Partial<T>, stored: T, keys: readonly (keyof T)[]): void {
  for (const key of keys) {
    if (sent[key] === undefined || sent[key] === stored[key]) continue;
    const is = `${String(key)}: it is ${JSON.stringify(stored[key])}, and cannot be set to ${JSON.stringify(sent[key])}`;
    throw new Problem("conflict", `${is}; leave it out, or GET again and send it as it is`);
  }
}
