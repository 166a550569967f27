// One question for many objects → their answers, a bounded number at once, until a deadline.
import { within } from "../within.ts";

/**
 * Asks each of `names` and hands every answer to `take` as it comes. Gives the names of those that did not answer, in
 * their order: what comes after the deadline is not taken.
 */
export async function askEach<T>(
  names: readonly string[],
  { atOnce, deadlineMs }: { atOnce: number; deadlineMs: number },
  ask: (name: string) => Promise<T>,
  take: (answer: T) => void,
): Promise<string[]> {
  const missing = new Set(names);
  const waiting = [...names];
  let isOver = false;
  const lane = async () => {
    for (let name = waiting.shift(); name !== undefined && !isOver; name = waiting.shift()) {
      try {
        const answer = await ask(name);
        if (isOver) return;
        take(answer);
        missing.delete(name);
      } catch (error) {
        console.warn("not answered", { name, error: String(error) });
      }
    }
  };
  const lanes = Promise.all(Array.from({ length: Math.min(atOnce, names.length) }, lane));
  await within(deadlineMs, "a device", lanes).catch((error) => console.warn(String(error)));
  isOver = true;
  return [...missing];
}
